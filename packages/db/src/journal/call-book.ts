import type { EntryDraft } from '@postern/schemas';
import type {
  CallSettlement,
  IntentConditions,
  IntentDraft,
  LostCondition,
  OutcomeDraft,
} from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import {
  INTENT,
  type JournalAnswer,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  type RecordKind,
  type RefusedRecord,
  type WireError,
} from './batch.ts';
import { closingDraft, lateDraft, recoveryDraft, unstorableOutcome, unstorableRecord } from './call-drafts.ts';
import { type CallHold, CallHolds, executedDraft } from './call-holds.ts';
import type { EntryRows } from './entry-rows.ts';
import type { JournalRows } from './journal-rows.ts';
import { type HeldLease, Lease, type LeaseHolder } from './lease.ts';
import { type OpenCall, OpenCalls } from './open-calls.ts';
import type { AbandonedIntent } from './recovery.ts';

/** Gives out what is to be stored, each thing for itself, and is told why that could not be; ends with the answer. */
export type StoringEach = Generator<() => void, JournalAnswer, WireError | undefined>;

/**
 * What the records of a journal mean, whatever the engine. An intent is an entry that names the lease it was made under, an outcome
 * one that names its intent. Which calls are open is known in memory; in the store it follows from the entries since the lease was
 * renewed, and from `open_intents` for calls older than that. Each transaction first makes sure that the lease is still ours: whoever
 * closes calls of another boot takes its lease first. So an intent has one outcome, whoever writes it.
 *
 * All of it runs in transactions of the engine's journal, which tells how each ended: `committed` or `rolledBack`.
 */
export class CallBook {
  readonly #node: string;
  readonly #lease: Lease;
  readonly #open: OpenCalls;
  readonly #holds: CallHolds;
  readonly #entries: EntryRows;

  constructor(rows: JournalRows, entries: EntryRows, holder: LeaseHolder) {
    this.#node = holder.node;
    this.#lease = new Lease(rows.leases, holder);
    this.#open = new OpenCalls(rows.openIntents);
    this.#holds = new CallHolds(rows);
    this.#entries = entries;
  }

  /** Number of this boot's lease; 0 when there is none. */
  get lease(): number {
    return this.#lease.number;
  }

  /** As committed. */
  get heldLease(): HeldLease | undefined {
    return this.#lease.held;
  }

  /** The row of the lease was changed outside of all transactions; unless it is not that lease any more. */
  leaseIs(held: HeldLease): void {
    this.#lease.is(held);
  }

  /** Whether the batch would change the lease. */
  isLeaseDue({ now, kinds }: JournalBatch): boolean {
    return (this.#lease.number > 0 || kinds.includes(INTENT)) && this.#lease.isDue(now);
  }

  /** At the start of a transaction before which another process may have committed. */
  noticeOthers(): void {
    this.#entries.forget();
    if (!this.#lease.isStillOurs()) this.#open.clear();
  }

  /** All of the batch, or, when it throws, nothing. */
  storeAll(batch: JournalBatch): JournalAnswer {
    this.#renewWhenDue(batch);
    const refused: RefusedRecord[] = [];
    for (const [index, draft] of batch.drafts.entries()) {
      const lost = this.#store(batch, index, draft);
      if (lost !== undefined) refused.push({ index, error: toLostError(lost) });
    }
    return { refused };
  }

  /** As `storeAll`, so that a record which cannot be stored does not sink its neighbours. */
  *storeEach(batch: JournalBatch): StoringEach {
    this.#renewWhenDue(batch);
    const refused: RefusedRecord[] = [];
    for (const [index, draft] of batch.drafts.entries()) {
      const before = this.#open.mark();
      let lost: LostCondition | undefined;
      let error = yield () => {
        lost = this.#store(batch, index, draft);
      };
      const kind = batch.kinds[index] as RecordKind;
      if (error !== undefined) this.#open.backTo(before);
      if (error !== undefined && kind !== INTENT) error = yield () => this.#storeSubstitute(kind, draft, batch.now);
      if (error !== undefined) {
        this.#open.backTo(before);
        refused.push({ index, error });
      } else if (lost !== undefined) {
        refused.push({ index, error: toLostError(lost) });
      }
    }
    return { refused };
  }

  /** Records that were committed. */
  wrote(records: number): void {
    this.#lease.wrote(records);
  }

  /** Whether `keepLease` would do anything. */
  mustKeepLease(now: number): boolean {
    return this.#lease.number !== 0 && (this.#open.size === 0 || this.#lease.isDue(now));
  }

  /** Keeps the lease while calls are open; without any it is given up. */
  keepLease(now: number): void {
    if (this.#open.size > 0) this.#renewLease(now);
    else this.#lease.release(false);
  }

  /** Others may close what is open. */
  giveUpLease(): void {
    this.#lease.release(this.#open.size > 0);
  }

  /** Closes calls of another boot, whose lease the transaction has taken. */
  closeAbandoned(intents: readonly AbandonedIntent[], now: number): void {
    for (const intent of intents) {
      const entry = recoveryDraft(intent, now, this.#node);
      this.#entries.append(entry, { closes: intent.seq });
      if (this.#holds.abandon(intent.requestId)) this.#entries.append(executedDraft(entry));
    }
  }

  committed(): void {
    this.#lease.committed();
    this.#open.committed();
  }

  rolledBack(): void {
    this.#entries.forget();
    this.#lease.rolledBack();
    this.#open.rolledBack();
  }

  /** What an outcome that comes now would settle. */
  holdOf(outcome: OutcomeDraft): CallHold | undefined {
    return this.#open.find(outcome)?.hold;
  }

  /** The lease as the open transaction leaves it; undefined when it does not change it. */
  changedLease(): { readonly to: HeldLease | undefined } | undefined {
    return this.#lease.change();
  }

  #renewWhenDue(batch: JournalBatch): void {
    if (this.isLeaseDue(batch)) this.#renewLease(batch.now);
  }

  #renewLease(now: number): void {
    this.#open.writeRows();
    this.#lease.renew(now);
  }

  /** Returns why an intent's conditions do not hold: then nothing of it is stored. */
  #store({ kinds, effects, now }: JournalBatch, index: number, draft: JournalDraft): LostCondition | undefined {
    const kind = kinds[index] as RecordKind;
    if (kind === INTENT) return this.#storeIntent(draft as IntentDraft, effects.get(index) as IntentConditions, now);
    if (kind === OUTCOME) this.#storeOutcome(draft as OutcomeDraft, effects.get(index) as CallSettlement);
    else this.#entries.append({ ...(draft as EntryDraft), node: (draft as EntryDraft).node ?? this.#node });
    return undefined;
  }

  #storeIntent(draft: IntentDraft, conditions: IntentConditions | undefined, now: number): LostCondition | undefined {
    const { requestId } = draft;
    if (this.#open.has(requestId)) {
      throw new DbError('conflict', 'audit_entries.request_id: an intent of that request id is open');
    }
    const lease = this.#lease.number;
    if (conditions !== undefined) return this.#storeHoldingIntent(draft, conditions, { requestId, lease, now });
    const { log, seq } = this.#entries.append({ ...draft, type: 'intent', node: this.#node }, { requestId, lease });
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
    const { log, seq } = this.#entries.append({ ...named, type: 'intent', node: this.#node }, { requestId, lease });
    const hold = this.#holds.take(open, { tenant, requestId, lease, now });
    this.#open.open({ draft: named, hold, lease, log, seq, hasRow: false });
    return undefined;
  }

  #storeOutcome(outcome: OutcomeDraft, settlement: CallSettlement = {}): void {
    const call = this.#open.find(outcome);
    if (call === undefined) {
      this.#entries.append(lateDraft(outcome, this.#node));
      return;
    }
    this.#closeCall(call, { entry: closingDraft(call.draft, outcome, this.#node), outcome, settlement });
  }

  #closeCall(
    call: OpenCall,
    { entry, outcome, settlement }: { entry: EntryDraft; outcome: OutcomeDraft; settlement: CallSettlement },
  ): void {
    this.#entries.append(entry, { closes: call.seq });
    if (call.hold !== undefined && this.#holds.settle(call.hold, outcome, settlement)) {
      this.#entries.append(executedDraft(entry));
    }
    this.#open.close(call);
  }

  /** An outcome or refusal that cannot be stored as it is leaves a trace all the same, and an intent does not stay open for it. */
  #storeSubstitute(kind: RecordKind, draft: JournalDraft, now: number): void {
    const call = kind === OUTCOME ? this.#open.find(draft as OutcomeDraft) : undefined;
    if (call === undefined) {
      this.#entries.append(unstorableRecord(draft.tenant, now, this.#node));
      return;
    }
    const { requestId } = call.draft;
    const outcome: OutcomeDraft = { tenant: draft.tenant, requestId, at: now, result: 'unknown' };
    const entry = unstorableOutcome(call.draft, now, this.#node);
    this.#closeCall(call, { entry, outcome, settlement: {} });
  }
}

function toLostError(condition: LostCondition): WireError {
  return { code: 'conflict', message: `${condition.lost}: ${condition.found}`, condition };
}
