import type { StatementSync } from 'node:sqlite';
import type { JournalAnswer, JournalBatch, WireError } from '../../journal/batch.ts';
import { CallBook } from '../../journal/call-book.ts';
import type { EntryRows } from '../../journal/entry-rows.ts';
import type { JournalRows } from '../../journal/journal-rows.ts';
import type { LeaseHolder } from '../../journal/lease.ts';
import { type Asking, findAbandoned, type RecoveryStep, recoverSome } from '../../journal/recovery.ts';
import { type Connection, rollBack } from './connection.ts';
import { isAboutRecord, toWireError } from './wire-error.ts';

/** The journal inside the writing worker: its transactions, each in one go. What is done in them is the business of the `CallBook`. */
export class Journal {
  readonly #connection: Connection;
  readonly #holder: LeaseHolder;
  readonly #book: CallBook;
  readonly #entries: EntryRows;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #selectVersion: StatementSync;
  #version: unknown;

  constructor(
    connection: Connection,
    { rows, entries }: { rows: JournalRows; entries: EntryRows },
    holder: LeaseHolder,
  ) {
    this.#connection = connection;
    this.#holder = holder;
    this.#book = new CallBook(rows, entries, holder);
    this.#entries = entries;
    this.#begin = connection.prepare('begin immediate');
    this.#commit = connection.prepare('commit');
    this.#selectVersion = connection.prepare('pragma data_version');
  }

  /** Stores the batch in one commit. Throws when nothing of it is stored. */
  write(batch: JournalBatch): JournalAnswer {
    let answer: JournalAnswer;
    try {
      answer = this.#inTransaction(() => this.#book.storeAll(batch));
    } catch (error) {
      if (!isAboutRecord(error)) throw error;
      // One record cannot be stored. Its neighbours can.
      answer = this.#inTransaction(() => this.#storeEach(batch));
    }
    this.#book.wrote(batch.drafts.length);
    return answer;
  }

  /** Closes what other boots left open; returns how many. */
  recover(now: number): number {
    let total = 0;
    for (const lease of this.#ask(findAbandoned(this.#holder, now, this.#book.lease))) {
      for (let isDone = false; !isDone; ) {
        const step = this.#inTransaction(() => this.#recoverSome(lease, now));
        total += step.intents.length;
        isDone = step.isLast;
      }
    }
    return total;
  }

  /** Keeps the lease while calls are open; without any it is given up. */
  renew(now: number): void {
    if (this.#book.mustKeepLease(now)) this.#inTransaction(() => this.#book.keepLease(now));
  }

  close(): void {
    if (this.#book.lease > 0) this.#inTransaction(() => this.#book.giveUpLease());
  }

  #inTransaction<T>(operation: () => T): T {
    this.#begin.run();
    let result: T;
    try {
      this.#noticeOthers();
      result = operation();
      this.#entries.write();
      this.#commit.run();
    } catch (error) {
      this.#book.rolledBack();
      rollBack(this.#connection);
      throw error;
    }
    this.#book.committed();
    return result;
  }

  /** What others may have changed is read again only when another connection has committed since: its own do not count. */
  #noticeOthers(): void {
    const version = this.#selectVersion.get()?.['data_version'];
    if (version === this.#version) return;
    this.#version = version;
    this.#book.noticeOthers();
  }

  #storeEach(batch: JournalBatch): JournalAnswer {
    const storing = this.#book.storeEach(batch);
    let next = storing.next();
    while (!next.done) next = storing.next(this.#tryToStore(next.value));
    return next.value;
  }

  /** Returns the error when the record is at fault, throws it when the engine is. */
  #tryToStore(store: () => void): WireError | undefined {
    this.#connection.prepare('savepoint record').run();
    try {
      store();
      this.#entries.write();
    } catch (error) {
      this.#entries.forget();
      if (!isAboutRecord(error)) throw error;
      this.#connection.prepare('rollback to record').run();
      return toWireError(error);
    } finally {
      if (this.#connection.database.isTransaction) this.#connection.prepare('release record').run();
    }
    return undefined;
  }

  #recoverSome(lease: number, now: number): RecoveryStep {
    const step = this.#ask(recoverSome(this.#holder, now, lease));
    this.#book.closeAbandoned(step.intents, now);
    return step;
  }

  #ask<Result>(asking: Asking<Result>): Result {
    let next = asking.next([]);
    while (!next.done) {
      const { sql, values } = next.value;
      next = asking.next(this.#connection.prepare(sql).all(...values));
    }
    return next.value;
  }
}
