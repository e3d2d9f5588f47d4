import type { StatementSync } from 'node:sqlite';
import type { EntryDraft } from '@postern/schemas';
import type {
  CallSettlement,
  IntentConditions,
  IntentDraft,
  LostCondition,
  OutcomeDraft,
} from '../../ports/call-journal.ts';
import { DbError } from '../../ports/db-error.ts';
import {
  INTENT,
  type JournalAnswer,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  type RecordKind,
  type WireError,
} from '../protocol.ts';
import type { EntryRows } from './append-entry.ts';
import { closingDraft, lateDraft, recoveryDraft, unstorableOutcome, unstorableRecord } from './call-drafts.ts';
import { CallHolds, executedDraft } from './call-holds.ts';
import { type Connection, rollBack } from './connection.ts';
import { Lease, type LeaseHolder } from './lease.ts';
import { type OpenCall, OpenCalls } from './open-calls.ts';
import { Recovery, type RecoveryStep } from './recovery.ts';
import { isAboutRecord, toWireError } from './wire-error.ts';

type Refused = JournalAnswer['refused'][number];

/**
 * The journal inside the writing worker. An intent is an entry that names the lease it was made under, an outcome one that names
 * its intent. Which calls are open is known in memory; on disk it follows from the entries since the lease was renewed, and from
 * `open_intents` for calls older than that. Each transaction first makes sure that the lease is still ours: whoever closes calls
 * of another boot takes its lease first. So an intent has one outcome, whoever writes it.
 */
export class Journal {
  readonly #connection: Connection;
  readonly #node: string;
  readonly #lease: Lease;
  readonly #recovery: Recovery;
  readonly #open: OpenCalls;
  readonly #holds: CallHolds;
  readonly #rows: EntryRows;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #selectVersion: StatementSync;
  #version: unknown;

  constructor(connection: Connection, rows: EntryRows, holder: LeaseHolder) {
    this.#connection = connection;
    this.#node = holder.node;
    this.#lease = new Lease(connection, holder);
    this.#recovery = new Recovery(connection, holder);
    this.#open = new OpenCalls(connection);
    this.#holds = new CallHolds(connection);
    this.#rows = rows;
    this.#begin = connection.prepare('begin immediate');
    this.#commit = connection.prepare('commit');
    this.#selectVersion = connection.prepare('pragma data_version');
  }

  /** Stores the batch in one commit. Throws when nothing of it is stored. */
  write(batch: JournalBatch): JournalAnswer {
    let answer: JournalAnswer;
    try {
      answer = this.#inTransaction(() => this.#storeAll(batch));
    } catch (error) {
      if (!isAboutRecord(error)) throw error;
      // One record cannot be stored. Its neighbours can.
      answer = this.#inTransaction(() => this.#storeOneByOne(batch));
    }
    this.#lease.wrote(batch.drafts.length);
    return answer;
  }

  /** Closes what other boots left open; returns how many. */
  recover(now: number): number {
    let total = 0;
    for (const lease of this.#recovery.abandoned(now, this.#lease.number)) {
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
    if (this.#lease.number === 0 || (this.#open.size > 0 && !this.#lease.isDue(now))) return;
    this.#inTransaction(() => {
      if (this.#open.size > 0) this.#renewLease(now);
      else this.#lease.release(false);
    });
  }

  close(): void {
    if (this.#lease.number > 0) this.#inTransaction(() => this.#lease.release(this.#open.size > 0));
  }

  #inTransaction<T>(operation: () => T): T {
    this.#begin.run();
    let result: T;
    try {
      this.#noticeOthers();
      result = operation();
      this.#rows.write();
      this.#commit.run();
    } catch (error) {
      this.#rows.forget();
      this.#lease.rolledBack();
      this.#open.rolledBack();
      rollBack(this.#connection);
      throw error;
    }
    this.#lease.committed();
    this.#open.committed();
    return result;
  }

  /** What others may have changed is read again only when another connection has committed since: its own do not count. */
  #noticeOthers(): void {
    const version = this.#selectVersion.get()?.['data_version'];
    if (version === this.#version) return;
    this.#version = version;
    this.#rows.forget();
    if (!this.#lease.isStillOurs()) this.#open.clear();
  }

  #renewWhenDue({ now, kinds }: JournalBatch): void {
    if ((this.#lease.number > 0 || kinds.includes(INTENT)) && this.#lease.isDue(now)) this.#renewLease(now);
  }

  #renewLease(now: number): void {
    this.#open.writeRows();
    this.#lease.renew(now);
  }

  #storeAll(batch: JournalBatch): JournalAnswer {
    this.#renewWhenDue(batch);
    const refused: Refused[] = [];
    for (const [index, draft] of batch.drafts.entries()) {
      const lost = this.#store(batch, index, draft);
      if (lost !== undefined) refused.push({ index, error: toLostError(lost) });
    }
    return { refused };
  }

  #storeOneByOne(batch: JournalBatch): JournalAnswer {
    this.#renewWhenDue(batch);
    const refused: Refused[] = [];
    for (const [index, draft] of batch.drafts.entries()) {
      let lost: LostCondition | undefined;
      let error = this.#tryToStore(() => {
        lost = this.#store(batch, index, draft);
      });
      const kind = batch.kinds[index] as RecordKind;
      if (error !== undefined && kind !== INTENT) {
        error = this.#tryToStore(() => this.#storeSubstitute(kind, draft, batch.now));
      }
      if (error !== undefined) refused.push({ index, error: toWireError(error) });
      else if (lost !== undefined) refused.push({ index, error: toLostError(lost) });
    }
    return { refused };
  }

  /** Returns the error when the record is at fault, throws it when the engine is. */
  #tryToStore(store: () => void): unknown {
    this.#connection.prepare('savepoint record').run();
    try {
      store();
      this.#rows.write();
    } catch (error) {
      this.#rows.forget();
      if (!isAboutRecord(error)) throw error;
      this.#connection.prepare('rollback to record').run();
      return error;
    } finally {
      if (this.#connection.database.isTransaction) this.#connection.prepare('release record').run();
    }
    return undefined;
  }

  /** Returns why an intent's conditions do not hold: then nothing of it is stored. */
  #store({ kinds, effects, now }: JournalBatch, index: number, draft: JournalDraft): LostCondition | undefined {
    const kind = kinds[index] as RecordKind;
    if (kind === INTENT) return this.#storeIntent(draft as IntentDraft, effects.get(index) as IntentConditions, now);
    if (kind === OUTCOME) this.#storeOutcome(draft as OutcomeDraft, effects.get(index) as CallSettlement);
    else this.#rows.append({ ...(draft as EntryDraft), node: (draft as EntryDraft).node ?? this.#node });
    return undefined;
  }

  #storeIntent(draft: IntentDraft, conditions: IntentConditions | undefined, now: number): LostCondition | undefined {
    const { requestId } = draft;
    if (this.#open.has(requestId)) {
      throw new DbError('conflict', 'audit_entries.request_id: an intent of that request id is open');
    }
    const lease = this.#lease.number;
    if (conditions !== undefined) return this.#storeHoldingIntent(draft, conditions, { requestId, lease, now });
    const { log, seq } = this.#rows.append({ ...draft, type: 'intent', node: this.#node }, { requestId, lease });
    this.#open.open({ draft, hold: undefined, lease, log, seq, hasRow: false });
    return undefined;
  }

  /** All that could refuse it comes before anything is changed. */
  #storeHoldingIntent(
    draft: IntentDraft,
    conditions: IntentConditions,
    { requestId, lease, now }: { requestId: string; lease: number; now: number },
  ): LostCondition | undefined {
    const { tenant } = draft;
    const open = this.#holds.look(draft, conditions, now);
    if ('lost' in open) return open;
    const named = { ...draft, approval: open.grant?.approvalId, grant: open.grant?.id };
    const { log, seq } = this.#rows.append({ ...named, type: 'intent', node: this.#node }, { requestId, lease });
    const hold = this.#holds.take(open, { tenant, requestId, lease, now });
    this.#open.open({ draft: named, hold, lease, log, seq, hasRow: false });
    return undefined;
  }

  #storeOutcome(outcome: OutcomeDraft, settlement: CallSettlement = {}): void {
    const call = this.#open.find(outcome);
    if (call === undefined) {
      this.#rows.append(lateDraft(outcome, this.#node));
      return;
    }
    this.#closeCall(call, { entry: closingDraft(call.draft, outcome, this.#node), outcome, settlement });
  }

  #closeCall(
    call: OpenCall,
    { entry, outcome, settlement }: { entry: EntryDraft; outcome: OutcomeDraft; settlement: CallSettlement },
  ): void {
    this.#rows.append(entry, { closes: call.seq });
    if (call.hold !== undefined && this.#holds.settle(call.hold, outcome, settlement)) {
      this.#rows.append(executedDraft(entry));
    }
    this.#open.close(call);
  }

  /** An outcome or refusal that cannot be stored as it is leaves a trace all the same, and an intent does not stay open for it. */
  #storeSubstitute(kind: RecordKind, draft: JournalDraft, now: number): void {
    const call = kind === OUTCOME ? this.#open.find(draft as OutcomeDraft) : undefined;
    if (call === undefined) {
      this.#rows.append(unstorableRecord(draft.tenant, now, this.#node));
      return;
    }
    const { requestId } = call.draft;
    const outcome: OutcomeDraft = { tenant: draft.tenant, requestId, at: now, result: 'unknown' };
    const entry = unstorableOutcome(call.draft, now, this.#node);
    this.#closeCall(call, { entry, outcome, settlement: {} });
  }

  #recoverSome(lease: number, now: number): RecoveryStep {
    const step = this.#recovery.step(lease, now);
    for (const intent of step.intents) {
      const entry = recoveryDraft(intent, now, this.#node);
      this.#rows.append(entry, { closes: intent.seq });
      if (this.#holds.abandon(intent.requestId)) this.#rows.append(executedDraft(entry));
    }
    return step;
  }
}

function toLostError(condition: LostCondition): WireError {
  return { code: 'conflict', message: `${condition.lost}: ${condition.found}`, condition };
}
