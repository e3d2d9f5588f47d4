import type { DbContext, Page, PageRequest } from './context.ts';

/**
 * The life of a claim: the durable ownership of one idempotency key.
 *
 *   (absent) → reserved → awaiting_approval → dispatching → succeeded | failed_not_sent | failed_final | unknown
 *
 * `dispatching` is entered in the commit of an intent alone (`CallJournal.commitIntent`) and left with its outcome, with recovery, or
 * by being read after its lease ran out: then it is `unknown`, whatever is stored. `failed_not_sent`, `reserved` and
 * `awaiting_approval` may be dispatched; `unknown` only where the call may be repeated, or once after an operator said `retry`.
 */
export const CLAIM_STATES = [
  'reserved',
  'awaiting_approval',
  'dispatching',
  'succeeded',
  'failed_not_sent',
  'failed_final',
  'unknown',
] as const;
export type ClaimState = (typeof CLAIM_STATES)[number];

/** What a key belongs to. `agent` and `integration` are names, as descriptors have them; `key` is 1..255 visible ASCII. */
export interface ClaimScope {
  readonly tenant: string;
  readonly agent: string;
  readonly integration: string;
  readonly key: string;
}

/** What a re-send is told instead of an answer. */
export interface ClaimProblem {
  /** A code of the closed union. */
  readonly code: string;
  /** Its HTTP status. */
  readonly status: number;
  /** Milliseconds since the epoch from which the key is free; absent: until the claim expires. */
  readonly until?: number;
}

export const CLAIM_RESOLUTIONS = ['done', 'not_done', 'retry'] as const;

/** What an operator said of an `unknown` claim. */
export interface ClaimResolution {
  readonly outcome: (typeof CLAIM_RESOLUTIONS)[number];
  readonly note: string;
  /** The administrator's name. */
  readonly by: string;
  readonly at: number;
}

/** The answer that is replayed: status, headers and body, sealed by the caller. */
export interface StoredAnswer {
  readonly id: string;
  /** Bytes of `sealed`. */
  readonly bytes: number;
  /** Absent when it is too long to come along (over 64 KiB): `readAnswer` gives it. */
  readonly sealed?: Uint8Array;
}

/** A claim as it reads at one moment: expired ones are not there, one whose lease ran out is `unknown`. */
export interface ClaimRecord extends ClaimScope {
  /** Opaque; not reused. */
  readonly id: string;
  readonly fingerprint: string;
  readonly state: ClaimState;
  /** Counts the dispatches of the key from 1; 0 before the first. Never falls. */
  readonly fence: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Of the last dispatch; of the call that made the claim before there was one. */
  readonly requestId?: string;
  /** While `dispatching`: who sends, and until when that is believed without another sign of life. */
  readonly owner?: { readonly node: string; readonly boot: string; readonly leaseUntil: number };
  readonly approvalId?: string;
  /** Of `failed_final`, always. */
  readonly problem?: ClaimProblem;
  /** Of `succeeded`; absent when there is none to replay (past the limit, or an operator said `done`). */
  readonly answer?: StoredAnswer;
  readonly resolution?: ClaimResolution;
  /** An operator has said `retry`, and no re-send has come since: the next one is let through. */
  readonly isRetryAllowed: boolean;
}

/** What a claim is made with outside stage 9. */
export interface NewClaim extends ClaimScope {
  readonly fingerprint: string;
  readonly requestId: string;
  readonly expiresAt: number;
}

/** Whether a claim was made or moved; if not, what stands in the way. */
export type ClaimVerdict =
  | { readonly isDone: true; readonly claim: ClaimRecord }
  | { readonly isDone: false; readonly found: ClaimRecord | undefined };

/**
 * Claims beside the path of a call. All methods judge time by the `nowMs` they are given: at `expiresAt` exactly a claim is over, at
 * `problem.until` exactly its problem is, at `leaseUntil` exactly a lease is. `unknown` and `dispatching` never expire.
 */
export interface ClaimsPort {
  /** One point read; never waits behind a list. undefined: the key is free. */
  find(scope: ClaimScope, nowMs: number, context?: DbContext): Promise<ClaimRecord | undefined>;
  getById(tenant: string, id: string, nowMs: number, context?: DbContext): Promise<ClaimRecord | undefined>;
  /** The claim whose last dispatch was call `requestId` and used up an approval, whatever key it came under. */
  findByApproval(
    tenant: string,
    approvalId: string,
    requestId: string,
    nowMs: number,
  ): Promise<ClaimRecord | undefined>;
  /**
   * Newest first. By `state` as it reads at `nowMs`. Answers come without their bytes. What a page costs is bounded: of filters that match
   * few, one may hold fewer claims than asked for, or none, and end with a `nextCursor`. Only a page without one is the last.
   */
  list(
    tenant: string,
    filter: { readonly state?: ClaimState; readonly agent?: string; readonly integration?: string },
    page: PageRequest & { readonly nowMs: number },
  ): Promise<Page<ClaimRecord>>;
  /** The sealed answer, whole; undefined once it is swept. */
  readAnswer(tenant: string, id: string): Promise<Uint8Array | undefined>;

  /**
   * Makes a claim `reserved` for a call that is queued. Atomic. Done as well where one of the same fingerprint is `reserved` or
   * `failed_not_sent` (which is `reserved` from then on); not done where any other is found.
   */
  reserve(claim: NewClaim, nowMs: number, context?: DbContext): Promise<ClaimVerdict>;
  /** Gives a claim back that is still `reserved` (the queued call was cancelled or refused). False when it is anything else. */
  release(scope: ClaimScope, nowMs: number, context?: DbContext): Promise<boolean>;
  /**
   * An operator's word on a claim that reads `unknown`; with its audit entry (`claim.resolved`) in the same transaction. `done` makes
   * it `succeeded` without an answer, `not_done` makes it `failed_not_sent`, `retry` lets one re-send through. A resolved claim lives
   * for at least one more of its lifetimes. Fails `not_found`. Not done when it reads otherwise.
   */
  resolve(tenant: string, id: string, resolution: ClaimResolution, context?: DbContext): Promise<ClaimVerdict>;

  /**
   * Tidies: removes what reads as absent, with its stored answers, and makes `unknown` what reads so. At most `limit` claims a time;
   * returns how many. No answer of any other method depends on it.
   */
  sweep(nowMs: number, limit: number): Promise<number>;
}
