import { type CallSettlement, type IntentConditions, IntentRefused, type OutcomeDraft } from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import {
  INTENT,
  type JournalAnswer,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  REFUSAL,
  type RecordKind,
  type WireError,
} from './batch.ts';
import { JournalRecords, type Settler, withOwnBytes } from './journal-records.ts';
import { JournalSpool } from './journal-spool.ts';

export interface JournalStats {
  /** Commits that succeeded, each of one batch. */
  readonly commits: number;
  readonly failedCommits: number;
  /** Records that are durable. */
  readonly records: number;
  /** Records that no log can hold, by a fault of ours: malformed, or an intent whose request id is open already. */
  readonly refusedRecords: number;
  /** Intents whose conditions did not hold. */
  readonly lostIntents: number;
}

export interface JournalQueueOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly spoolMax: number;
  /** A tenant's own `spoolMax`, where it has one; asked after a failed write alone. */
  readonly spoolMaxOf?: ((tenant: string) => number | undefined) | undefined;
  /** Hands a batch to the worker; `settle` is called once, later. One batch is under way at a time. */
  readonly post: (batch: JournalBatch, settle: (error: DbError | undefined, answer: JournalAnswer) => void) => void;
}

/** An outcome or refusal waits at most this long for an intent's commit to ride on. */
const RIDE_MS = 20;
/** Turns of the event loop that intents wait for more of them, as long as each turn brings some. */
const TURNS_MAX = 3;
/** Records in one commit, so that none takes long. */
const BATCH_MAX = 1_024;
/** Bytes of stored answers in one commit, but for a single longer one. */
const ANSWER_BYTES_MAX = 4_194_304;
/** Bytes of stored answers that wait after a failed write. */
const ANSWER_BYTES_SPOOLED_MAX = 16_777_216;
const RETRY_MS_FIRST = 20;
const RETRY_MS_MAX = 1_000;
/** What the callers of intents that were in doubt have answered. */
const CODE = 'audit_unavailable';

/**
 * Natural group commit. Idle: an intent is posted at the end of the turn, with all that came in it, or up to two turns later while
 * more come; an outcome waits for an intent, 20 ms at most. Under way: everything collects, and goes out in the same way after
 * the answer. Failing (from a write that failed until one
 * succeeds): outcomes and refusals stay first in the queue and are tried again with the next intent or by a timer. In doubt (the
 * connection broke when a batch was being committed): failing, and nothing is posted but the question what became of that batch. When
 * it is stored, its intents, of which everybody was told that they are not, are closed as not sent. Ended: intents are refused and
 * what comes is left aside.
 */
export class JournalQueue {
  readonly #options: JournalQueueOptions;
  #waiting = new JournalRecords();
  #underWay: JournalRecords | undefined;
  /** Turns of the event loop until what waits is posted at the latest; 0: nothing is scheduled. */
  #turnsLeft = 0;
  #intentsSeen = 0;
  /** What waits goes out as soon as nothing is under way, intents or not. */
  #mustPost = false;
  #rideTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS_FIRST;
  /** There while failing. */
  #spool: JournalSpool | undefined;
  /** The last batch, while nobody knows whether it is stored. */
  #doubted: JournalRecords | undefined;
  #ended: DbError | undefined;
  #flushes: (Settler & { remaining: number })[] = [];
  /** Request ids of outcomes with a settlement that are not durable yet. */
  readonly #settling = new Set<string>();
  readonly #stats = { commits: 0, failedCommits: 0, records: 0, refusedRecords: 0, lostIntents: 0 };

  constructor(options: JournalQueueOptions) {
    this.#options = options;
  }

  addIntent(draft: JournalDraft, conditions?: IntentConditions): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#spool?.isFull(draft.tenant)) {
      return Promise.reject(new DbError('unavailable', 'audit records of the tenant wait to be written'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.add(INTENT, draft, { resolve, reject }, conditions);
      if (this.#underWay === undefined) this.#schedule();
    });
  }

  /** An outcome or a refusal. Never throws. */
  addFollower(kind: RecordKind, draft: JournalDraft, settlement?: CallSettlement): void {
    if (this.#ended !== undefined || this.#spool?.admit(kind, draft) === false) return;
    if (settlement === undefined) this.#waiting.add(kind, draft);
    else this.#addSettling(kind, draft as OutcomeDraft, settlement);
    this.#rideTimer ??= setTimeout(this.#endRide, RIDE_MS).unref();
  }

  #addSettling(kind: RecordKind, draft: OutcomeDraft, settlement: CallSettlement): void {
    this.#settling.add(draft.requestId);
    this.#waiting.add(kind, draft, undefined, withOwnBytes(settlement));
    if (this.#spool !== undefined) this.#waiting.dropAnswersAbove(ANSWER_BYTES_SPOOLED_MAX);
  }

  /** Resolves when the outcome of that call is durable; undefined when it is, or none was handed over. */
  settling(requestId: string): Promise<void> | undefined {
    return this.#settling.has(requestId) ? this.flush() : undefined;
  }

  flush(): Promise<void> {
    const remaining = this.#waiting.length + (this.#underWay?.length ?? 0) + (this.#doubted?.length ?? 0);
    if (remaining === 0) return Promise.resolve();
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#flushes.push({ resolve, reject, remaining });
      this.#postSoon();
    });
  }

  lag(): { entries: number; oldestMs: number } {
    const oldest = (this.#doubted ?? this.#underWay ?? this.#waiting).drafts[0];
    const inDoubt = this.#doubted === undefined ? 0 : this.#doubted.length - this.#doubted.intents;
    const entries = this.#waiting.length + (this.#underWay?.length ?? 0) + inDoubt;
    return { entries, oldestMs: oldest === undefined ? 0 : Math.max(0, this.#options.now() - oldest.at) };
  }

  stats(): JournalStats {
    return { ...this.#stats };
  }

  /** From here on intents are refused with `error`. */
  end(error: DbError): void {
    this.#ended ??= error;
    clearTimeout(this.#rideTimer);
    clearTimeout(this.#retryTimer);
    for (const settler of this.#waiting.settlers) settler?.reject(this.#ended);
    this.#rejectFlushes(this.#ended);
  }

  #schedule(): void {
    if (this.#turnsLeft > 0) return;
    this.#turnsLeft = TURNS_MAX;
    this.#intentsSeen = this.#waiting.intents;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#turnsLeft -= 1;
    const intents = this.#waiting.intents;
    if (this.#turnsLeft > 0 && intents > this.#intentsSeen && this.#underWay === undefined) {
      this.#intentsSeen = intents;
      setImmediate(this.#endTurn);
      return;
    }
    this.#turnsLeft = 0;
    this.#postNext();
  };

  readonly #endRide = (): void => {
    this.#rideTimer = undefined;
    // While failing, the retry has its own time.
    if (this.#spool === undefined) this.#postSoon();
  };

  readonly #retry = (): void => {
    this.#retryTimer = undefined;
    this.#postSoon();
  };

  #postSoon(): void {
    this.#mustPost = true;
    this.#postNext();
  }

  #postNext(): void {
    if (this.#underWay !== undefined || this.#ended !== undefined) return;
    if (this.#waiting.length === 0 && this.#doubted === undefined) return;
    this.#mustPost = false;
    const batch = this.#doubted === undefined ? this.#takeBatch() : new JournalRecords();
    this.#underWay = batch;
    const { kinds, drafts, effects } = batch;
    this.#options.post({ now: this.#options.now(), kinds, drafts, effects }, this.#settle);
  }

  #takeBatch(): JournalRecords {
    const count = this.#waiting.countWithin(BATCH_MAX, ANSWER_BYTES_MAX);
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = new JournalRecords();
      return all;
    }
    const { first, rest } = this.#waiting.split(count);
    this.#waiting = rest;
    this.#mustPost = true;
    return first;
  }

  readonly #settle = (error: DbError | undefined, answer: JournalAnswer): void => {
    const batch = this.#underWay ?? new JournalRecords();
    this.#underWay = undefined;
    if (error !== undefined) this.#fail(batch, error);
    else if (answer.doubt !== undefined) this.#doubt(batch, answer.doubt);
    else if (this.#doubted !== undefined) this.#endDoubt(this.#doubted, answer);
    else this.#succeed(batch, answer);
    if (this.#mustPost) this.#postNext();
    else if (this.#waiting.intents > 0) this.#schedule();
  };

  #succeed(batch: JournalRecords, { refused }: JournalAnswer): void {
    this.#stats.commits += 1;
    this.#stats.records += batch.length - refused.length;
    for (const { index, error } of refused) this.#refuse(batch.settlers[index], error);
    if (batch.effects.size > 0) this.#endSettling(batch);
    // Those that were rejected above are settled; resolving them has no effect.
    for (const settler of batch.settlers) settler?.resolve();
    for (const flush of this.#flushes) {
      flush.remaining -= batch.length;
      if (flush.remaining <= 0) flush.resolve();
    }
    if (this.#flushes.length > 0) this.#flushes = this.#flushes.filter((flush) => flush.remaining > 0);
    if (this.#flushes.length > 0) this.#mustPost = true;
    if (this.#spool !== undefined) this.#endFailing(this.#spool);
  }

  #refuse(settler: Settler | undefined, error: WireError): void {
    if (error.condition === undefined) this.#stats.refusedRecords += 1;
    else this.#stats.lostIntents += 1;
    settler?.reject(
      error.condition === undefined ? new DbError(error.code, error.message) : new IntentRefused(error.condition),
    );
  }

  #endSettling({ kinds, drafts, effects }: JournalRecords): void {
    for (const index of effects.keys()) {
      if (kinds[index] === OUTCOME) this.#settling.delete((drafts[index] as OutcomeDraft).requestId);
    }
  }

  #fail(batch: JournalRecords, cause: DbError): void {
    // While in doubt the batch was only a question: nothing that waits can be stored before it is answered.
    const failed = this.#doubted === undefined ? batch : this.#waiting;
    this.#waiting = failed.followersThen(this.#doubted === undefined ? this.#waiting : new JournalRecords());
    this.#goOnFailing(failed, cause);
  }

  #doubt(batch: JournalRecords, why: string): void {
    this.#doubted = batch;
    this.#goOnFailing(batch, new DbError('unavailable', why));
  }

  #endDoubt(doubted: JournalRecords, { refused, wasStored }: JournalAnswer): void {
    this.#doubted = undefined;
    this.#mustPost = true;
    if (wasStored === true) {
      this.#succeed(doubted, { refused });
      const notStored = new Set(refused.map(({ index }) => index));
      const at = this.#options.now();
      doubted.forEachIntent(({ tenant, requestId }, index) => {
        if (!notStored.has(index)) this.addFollower(OUTCOME, { tenant, requestId, at, result: 'not_sent', code: CODE });
      });
      return;
    }
    this.#waiting = doubted.followersThen(this.#waiting);
    for (const flush of this.#flushes) flush.remaining -= doubted.intents;
  }

  #goOnFailing(failed: JournalRecords, cause: DbError): void {
    this.#stats.failedCommits += 1;
    this.#waiting.dropAnswersAbove(ANSWER_BYTES_SPOOLED_MAX);
    this.#spool ??= this.#spoolOfWaiting();
    const error = new DbError('unavailable', `the audit log cannot be written: ${cause.message}`, cause);
    for (const settler of failed.settlers) settler?.reject(error);
    this.#rejectFlushes(error);
    if (this.#ended !== undefined || this.#retryTimer !== undefined) return;
    this.#retryTimer = setTimeout(this.#retry, this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #spoolOfWaiting(): JournalSpool {
    const spool = new JournalSpool(this.#options.spoolMax, this.#options.spoolMaxOf);
    for (const records of [this.#doubted, this.#waiting]) {
      records?.forEach((kind, draft) => {
        spool.admit(kind, draft);
      });
    }
    return spool;
  }

  #endFailing(spool: JournalSpool): void {
    this.#spool = undefined;
    this.#retryMs = RETRY_MS_FIRST;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    for (const draft of spool.countedEntries(this.#options.now())) this.addFollower(REFUSAL, draft);
    this.#mustPost = true;
  }

  #rejectFlushes(error: DbError): void {
    for (const flush of this.#flushes) flush.reject(error);
    this.#flushes = [];
  }
}
