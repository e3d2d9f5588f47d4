import { EntryRows } from '../../journal/entry-rows.ts';
import type { LeaseHolder } from '../../journal/lease.ts';
import { unpackBatch } from '../../journal/pack-batch.ts';
import { DbError } from '../../ports/db-error.ts';
import type { Operation, WorkerSettings } from '../protocol.ts';
import { SqliteBlockStore } from './block-store.ts';
import { type Connection, openReadingConnection, openWritingConnection, rollBack } from './connection.ts';
import { SqliteEntryStore } from './entry-store.ts';
import { Journal } from './journal.ts';
import { sqliteJournalRows } from './journal-rows.ts';
import type { Answering } from './reader.ts';

/**
 * The writing worker. Free: every operation runs at once. Held: a transaction is open; its own operations run, reads of the last
 * committed state run, all others wait in order. A transaction ends by commit, by rollback, or by its time running out; what
 * comes for it afterwards is refused.
 */
export class Writer {
  readonly #file: string;
  readonly #transactionMs: number;
  readonly #writing: Connection;
  readonly #waiting: { operation: Operation; answer: Answering }[] = [];
  #snapshots: Connection | undefined;
  #journal: Journal | undefined;
  #entries: { readonly store: SqliteEntryStore; readonly rows: EntryRows } | undefined;
  #held: { readonly transaction: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor({ file, transactionMs }: WorkerSettings) {
    this.#file = file;
    this.#transactionMs = transactionMs;
    this.#writing = openWritingConnection(file);
  }

  handle(operation: Operation, answer: Answering): void {
    if (this.#held !== undefined && !mayRunBesideTransaction(operation)) {
      this.#waiting.push({ operation, answer });
      return;
    }
    let value: unknown;
    try {
      value = this.#perform(operation);
    } catch (error) {
      answer(error);
      return;
    }
    answer(undefined, value);
  }

  #perform(operation: Operation): unknown {
    switch (operation.op) {
      case 'query':
        if (operation.transaction !== undefined) this.#requireHeld(operation.transaction);
        return this.#connectionFor(operation.on).run(operation.query);
      case 'queries':
        return runTogether(this.#connectionFor(operation.on), operation);
      case 'begin':
        return this.#begin(operation.transaction);
      case 'commit':
      case 'rollback':
        return this.#end(operation.transaction, operation.op);
      case 'append':
        this.#requireHeld(operation.transaction);
        return this.#openEntries().rows.appendOne(operation.draft);
      case 'journal.open':
        this.#journal = this.#makeJournal(operation);
        return undefined;
      case 'journal.write':
        return this.#openJournal().write(unpackBatch(operation.batch));
      case 'journal.recover':
        return this.#openJournal().recover(operation.now);
      case 'journal.renew':
        return this.#openJournal().renew(operation.now);
      case 'journal.close':
        return this.#openJournal().close();
      case 'close':
        this.#snapshots?.close();
        return this.#writing.close();
    }
  }

  #connectionFor(on: 'snapshot' | 'write'): Connection {
    if (on === 'write') return this.#writing;
    this.#snapshots ??= openReadingConnection(this.#file);
    return this.#snapshots;
  }

  /** The tables are not there yet when a new file is opened. */
  #openEntries() {
    if (this.#entries === undefined) {
      const store = new SqliteEntryStore(this.#writing);
      const blocks = new SqliteBlockStore(this.#writing);
      this.#entries = { store, rows: new EntryRows(store, (block) => blocks.insert(block)) };
    }
    return this.#entries;
  }

  #makeJournal(holder: LeaseHolder): Journal {
    const { store, rows: entries } = this.#openEntries();
    return new Journal(this.#writing, { rows: sqliteJournalRows(this.#writing, store), entries }, holder);
  }

  #openJournal(): Journal {
    if (this.#journal === undefined) throw new DbError('invalid', 'the journal is not open');
    return this.#journal;
  }

  #requireHeld(transaction: number): void {
    if (this.#held?.transaction === transaction) return;
    throw new DbError('unavailable', `the transaction is over: it was rolled back after ${this.#transactionMs} ms`);
  }

  #begin(transaction: number): void {
    this.#writing.prepare('begin immediate').run();
    const timer = setTimeout(() => this.#end(transaction, 'rollback'), this.#transactionMs);
    this.#held = { transaction, timer };
  }

  #end(transaction: number, how: 'commit' | 'rollback'): void {
    this.#requireHeld(transaction);
    clearTimeout(this.#held?.timer);
    try {
      this.#writing.prepare(how).run();
    } catch (error) {
      rollBack(this.#writing);
      throw error;
    } finally {
      this.#held = undefined;
      setImmediate(() => this.#runWaiting());
    }
  }

  /** Stops where one of those that waited opens a transaction itself. */
  #runWaiting(): void {
    while (this.#held === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.handle(next.operation, next.answer);
    }
  }
}

/** Its own operations (also of one that is over: they are let through to be refused), and reads of what is committed. */
function mayRunBesideTransaction(operation: Operation): boolean {
  if (operation.op === 'begin') return false;
  if ('transaction' in operation && operation.transaction !== undefined) return true;
  return (operation.op === 'query' || operation.op === 'queries') && operation.on === 'snapshot';
}

function runTogether(connection: Connection, { on, queries }: Extract<Operation, { op: 'queries' }>) {
  connection.prepare(on === 'write' ? 'begin immediate' : 'begin').run();
  try {
    const answers = queries.map((query) => connection.run(query));
    connection.prepare('commit').run();
    return answers;
  } catch (error) {
    rollBack(connection);
    throw error;
  }
}
