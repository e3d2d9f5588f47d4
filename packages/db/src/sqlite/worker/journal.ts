import type { StatementSync } from 'node:sqlite';
import type { EntryDraft } from '@postern/schemas';
import type { IntentDraft, OutcomeDraft } from '../../ports/call-journal.ts';
import { DbError } from '../../ports/db-error.ts';
import {
  INTENT,
  type JournalAnswer,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  type RecordKind,
} from '../protocol.ts';
import { createNumbering, prepareInsert, toEntry } from './append-entry.ts';
import { closingDraft, lateDraft, recoveryDraft, unstorableOutcome, unstorableRecord } from './call-drafts.ts';
import { type Connection, rollBack } from './connection.ts';
import { Lease, type LeaseHolder } from './lease.ts';
import { RECOVERED_AT_ONCE, Recovery } from './recovery.ts';
import { isAboutRecord, toWireError } from './wire-error.ts';

/** An intent of this boot that has no outcome yet, and where its row is. */
interface OpenIntent {
  readonly seq: number;
  readonly draft: IntentDraft;
}

/** What the open transaction has opened and closed; taken over into memory once it is committed. */
interface Changes {
  readonly opened: Map<string, OpenIntent>;
  readonly closed: Set<string>;
}

/**
 * The journal inside the writing worker. An intent is an entry and a row in `open_intents`; an outcome is an entry and that row's
 * deletion, in one transaction. Whether the row was there decides: so an intent has one outcome, whoever else may close it.
 */
export class Journal {
  readonly #connection: Connection;
  readonly #node: string;
  readonly #boot: string;
  readonly #lease: Lease;
  readonly #recovery: Recovery;
  readonly #takePlaces: (tenant: string, count: number) => number;
  readonly #insert: ReturnType<typeof prepareInsert>;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #insertOpen: StatementSync;
  readonly #deleteOpen: StatementSync;
  readonly #open = new Map<string, OpenIntent>();

  constructor(connection: Connection, holder: LeaseHolder) {
    this.#connection = connection;
    this.#node = holder.node;
    this.#boot = holder.boot;
    this.#lease = new Lease(connection, holder);
    this.#recovery = new Recovery(connection, holder);
    this.#takePlaces = createNumbering(connection);
    this.#insert = prepareInsert(connection);
    this.#begin = connection.prepare('begin immediate');
    this.#commit = connection.prepare('commit');
    this.#insertOpen = connection.prepare('insert into open_intents (tenant, seq, boot) values (?, ?, ?)');
    this.#deleteOpen = connection.prepare('delete from open_intents where tenant = ? and seq = ?');
  }

  /** Stores the batch in one commit. Throws when nothing of it is stored. */
  write(batch: JournalBatch): JournalAnswer {
    try {
      return this.#inTransaction(batch.now, (changes) => this.#storeAll(batch, changes));
    } catch (error) {
      if (!isAboutRecord(error)) throw error;
      // One record cannot be stored. Its neighbours can.
      return this.#inTransaction(batch.now, (changes) => this.#storeOneByOne(batch, changes));
    }
  }

  /** Closes what other boots left open; returns how many. */
  recover(now: number): number {
    let total = 0;
    for (;;) {
      const closed = this.#inTransaction(now, () => this.#recoverSome(now));
      total += closed;
      if (closed < RECOVERED_AT_ONCE) return total;
    }
  }

  /** Keeps the lease while calls are open; without any there is nothing to keep it for. */
  renew(now: number): void {
    if (this.#open.size > 0 && this.#lease.isDue(now)) this.#inTransaction(now, () => undefined);
  }

  close(): void {
    this.#lease.release();
  }

  #inTransaction<T>(now: number, operation: (changes: Changes) => T): T {
    const changes: Changes = { opened: new Map(), closed: new Set() };
    this.#begin.run();
    let leaseUntil: number;
    let result: T;
    try {
      leaseUntil = this.#lease.renewWhenDue(now);
      result = operation(changes);
      this.#commit.run();
    } catch (error) {
      rollBack(this.#connection);
      throw error;
    }
    this.#lease.taken(leaseUntil);
    for (const [requestId, intent] of changes.opened) this.#open.set(requestId, intent);
    for (const requestId of changes.closed) this.#open.delete(requestId);
    return result;
  }

  #storeAll({ kinds, drafts }: JournalBatch, changes: Changes): JournalAnswer {
    const counts = new Map<string, number>();
    for (const { tenant } of drafts) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    const places = new Map<string, number>();
    for (const [tenant, count] of counts) places.set(tenant, this.#takePlaces(tenant, count));
    for (const [index, draft] of drafts.entries()) {
      const seq = places.get(draft.tenant) as number;
      places.set(draft.tenant, seq + 1);
      this.#store(kinds[index] as RecordKind, draft, seq, changes);
    }
    return { refused: [] };
  }

  #storeOneByOne({ now, kinds, drafts }: JournalBatch, changes: Changes): JournalAnswer {
    const refused: { index: number; error: ReturnType<typeof toWireError> }[] = [];
    for (const [index, draft] of drafts.entries()) {
      const kind = kinds[index] as RecordKind;
      let error = this.#tryToStore(() => this.#store(kind, draft, this.#takePlaces(draft.tenant, 1), changes));
      if (error !== undefined && kind !== INTENT) {
        error = this.#tryToStore(() => this.#storeSubstitute(kind, draft, now, changes));
      }
      if (error !== undefined) refused.push({ index, error: toWireError(error) });
    }
    return { refused };
  }

  /** Returns the error when the record is at fault, throws it when the engine is. */
  #tryToStore(store: () => void): unknown {
    this.#connection.prepare('savepoint record').run();
    try {
      store();
    } catch (error) {
      if (!isAboutRecord(error)) throw error;
      this.#connection.prepare('rollback to record').run();
      return error;
    } finally {
      if (this.#connection.database.isTransaction) this.#connection.prepare('release record').run();
    }
    return undefined;
  }

  #store(kind: RecordKind, draft: JournalDraft, seq: number, changes: Changes): void {
    if (kind === INTENT) this.#storeIntent(draft as IntentDraft, seq, changes);
    else if (kind === OUTCOME) this.#storeOutcome(draft as OutcomeDraft, seq, changes);
    else this.#insert(toEntry({ node: this.#node, ...(draft as EntryDraft) }, seq));
  }

  #storeIntent(draft: IntentDraft, seq: number, changes: Changes): void {
    if (this.#open.has(draft.requestId) || changes.opened.has(draft.requestId)) {
      throw new DbError('conflict', 'audit_entries.request_id: an intent of that request id is open');
    }
    this.#insert(toEntry({ ...draft, type: 'intent', node: this.#node }, seq));
    this.#insertOpen.run(draft.tenant, seq, this.#boot);
    changes.opened.set(draft.requestId, { seq, draft });
  }

  #storeOutcome(outcome: OutcomeDraft, seq: number, changes: Changes): void {
    const intent = this.#close(outcome, changes);
    const draft = intent === undefined ? lateDraft(outcome, this.#node) : closingDraft(intent, outcome, this.#node);
    this.#insert(toEntry(draft, seq));
  }

  /** An outcome or refusal that cannot be stored as it is leaves a trace all the same, and an intent does not stay open for it. */
  #storeSubstitute(kind: RecordKind, draft: JournalDraft, now: number, changes: Changes): void {
    const intent = kind === OUTCOME ? this.#close(draft as OutcomeDraft, changes) : undefined;
    const substitute =
      intent === undefined
        ? unstorableRecord(draft.tenant, now, this.#node)
        : unstorableOutcome(intent, now, this.#node);
    this.#insert(toEntry(substitute, this.#takePlaces(draft.tenant, 1)));
  }

  /** Deletes the row of the outcome's intent; undefined when that is not open (any more). */
  #close({ tenant, requestId }: OutcomeDraft, changes: Changes): IntentDraft | undefined {
    const intent = changes.opened.get(requestId) ?? this.#open.get(requestId);
    if (intent?.draft.tenant !== tenant) return undefined;
    if (this.#deleteOpen.run(tenant, intent.seq).changes !== 1) return undefined;
    changes.closed.add(requestId);
    return intent.draft;
  }

  #recoverSome(now: number): number {
    const abandoned = this.#recovery.abandoned(now);
    for (const intent of abandoned) {
      this.#deleteOpen.run(intent.tenant, intent.seq);
      this.#insert(toEntry(recoveryDraft(intent, now, this.#node), this.#takePlaces(intent.tenant, 1)));
    }
    if (abandoned.length < RECOVERED_AT_ONCE) this.#recovery.forgetLeases(now);
    return abandoned.length;
  }
}
