import type { EntryDraft, OutcomeResult } from '@postern/schemas';
import type { ApprovalStatus } from './approvals.ts';
import type { ClaimProblem, ClaimState } from './claims.ts';
import { DbError } from './db-error.ts';
import type { GrantState } from './grants.ts';

/** The intent of one call; `requestId` is made by the gateway and unique over all nodes and times. */
export type IntentDraft = Omit<
  EntryDraft,
  'type' | 'result' | 'status' | 'latencyMs' | 'code' | 'node' | 'argsHash' | 'approval' | 'grant' | 'versions'
> & {
  readonly requestId: string;
};

/** The key that a call takes. The tenant is the draft's. */
export interface ClaimTake {
  readonly agent: string;
  readonly integration: string;
  readonly key: string;
  readonly fingerprint: string;
  /** When the key ends, counted from this dispatch. */
  readonly expiresAt: number;
  /** The method is safe or the upstream honours keys: a claim that is `unknown` may be taken too. */
  readonly mayRepeat?: boolean;
}

/**
 * What must hold for a call to go out, checked and changed in the commit of its intent. All or none:
 *
 * - `claim`: absent, `reserved`, `awaiting_approval`, `failed_not_sent` or (with `mayRepeat`, or an operator's `retry`, which is used
 *   up) `unknown`, and of the same fingerprint → `dispatching` with the next fence, under this boot's lease.
 * - `grant`: of the draft's tenant and agent, not revoked, not expired, with a use left → one use less. Its approval, while that is
 *   `approved` and may be executed → `executing`; a `once` grant whose approval is not so is refused, and so is any grant whose
 *   approval went back to `pending`.
 *
 * The entry of the intent, and of its outcome, name approval and grant.
 */
export interface IntentConditions {
  readonly claim?: ClaimTake | undefined;
  readonly grant?: { readonly id: string } | undefined;
}

/** Why a call lost. `found` is what stands there instead. */
export type LostCondition =
  | { readonly lost: 'claim_lost'; readonly found: ClaimState | 'fingerprint_mismatch' }
  | { readonly lost: 'grant_gone'; readonly found: Exclude<GrantState, 'usable'> | 'absent' }
  | { readonly lost: 'approval_gone'; readonly found: ApprovalStatus | 'absent' };

/** The conditions of a call did not hold. Nothing of it is stored; it must not be sent. */
export class IntentRefused extends DbError {
  readonly condition: LostCondition;

  constructor(condition: LostCondition) {
    super('conflict', `${condition.lost}: ${condition.found}`);
    this.condition = condition;
  }
}

/** What closes an intent. The journal adds what it knows of the intent (agent, integration, action, method, url). */
export interface OutcomeDraft {
  readonly tenant: string;
  readonly requestId: string;
  readonly at: number;
  readonly result: OutcomeResult;
  readonly status?: number;
  readonly code?: string;
  readonly latencyMs?: number;
  /** How many attempts at the upstream were begun, when it was more than one. */
  readonly attempt?: number | undefined;
  /** Of a body that passed as it came: `sha-256:` and hex. */
  readonly argsHash?: string | undefined;
}

/** Bytes of one sealed answer; a longer one is taken as none. */
export const STORED_ANSWER_BYTES_MAX = 2_097_152;

/** What becomes of a claim. */
export type ClaimSettlement =
  /** `sealed`: status, headers and body as they are to be replayed, at most `STORED_ANSWER_BYTES_MAX`; absent: past the limit, nothing to replay. */
  | { readonly to: 'succeeded'; readonly sealed?: Uint8Array | undefined }
  /** The key may be used again at once: nothing reached the upstream, or it answered 429. */
  | { readonly to: 'failed_not_sent' }
  | { readonly to: 'failed_final'; readonly problem: ClaimProblem }
  | { readonly to: 'unknown' };

/**
 * How what an intent took is left. What is absent follows from the outcome's `result`:
 *
 * | result     | claim                                                          | approval   | grant      |
 * | ---------- | -------------------------------------------------------------- | ---------- | ---------- |
 * | `done`     | `succeeded` without an answer; `failed_not_sent` with status 429 | `executed` | spent      |
 * | `not_sent` | `failed_not_sent`                                              | `approved` | given back |
 * | others     | `unknown`                                                      | `unknown`  | spent      |
 *
 * `approval` concerns the first execution alone, `approved` gives it back.
 */
export interface CallSettlement {
  readonly claim?: ClaimSettlement | undefined;
  readonly approval?: 'executed' | 'failed' | 'unknown' | 'approved' | undefined;
  readonly grant?: 'spent' | 'given_back' | undefined;
}

/**
 * The write path of the data plane, made for group commit: nothing here costs the event loop more than handing an object over.
 * Entries are encoded, numbered and stored off the event loop, with `synchronous=FULL`, many calls to one commit.
 *
 * Obligations on implementers:
 * - `commitIntent` resolves only when the entry is durable, recovery would find it open, and the conditions held and took effect in
 *   the same commit; it rejects with `IntentRefused` when one did not hold, and with `DbError` `unavailable` when nothing can be
 *   stored; then nothing of it is stored or ever will be, but for one whose commit was made and its answer lost: the journal closes
 *   that as `not_sent` as soon as it knows, and else recovery does. Other calls of the same commit stand. Of equal calls at once, also in one
 *   commit and of several processes, exactly one takes a claim. Time is judged by the journal's clock.
 * - `recordOutcome` and `recordRefusal` never block and never throw. What cannot be written is kept and tried again, in order.
 *   While more than `spoolMax` (256, or the tenant's own `auditSpool`) of a tenant wait after a failed write, `commitIntent` of that tenant rejects. Sealed answers that
 *   wait then are dropped above 16 MiB (their claims are `succeeded` without an answer).
 * - An outcome and what its intent took are settled in one transaction. A claim is settled only while it is `dispatching` with the
 *   fence of that intent: a boot that lost its lease, or whose claim another has taken on, changes nothing of it.
 * - Every intent is closed by exactly one outcome, also over crashes: `recover`. No claim stays `dispatching`, no approval `executing`
 *   after the outcome of their intent.
 */
export interface CallJournal {
  commitIntent(draft: IntentDraft, conditions?: IntentConditions): Promise<void>;
  recordOutcome(draft: OutcomeDraft, settlement?: CallSettlement): void;
  /** Any entry that nobody waits for: refusals, violations, `replayed`. */
  recordRefusal(draft: EntryDraft): void;
  /**
   * For a claim that reads `dispatching` of this request id: when its outcome, with a settlement, was handed over here and is not
   * durable yet, a promise that resolves once it is (then read the claim again) and rejects when it cannot be made so now. Else undefined.
   */
  settling(requestId: string): Promise<void> | undefined;
  /** Resolves when all that was handed over before is durable; rejects when it cannot be made so. */
  flush(): Promise<void>;
  /** Entries handed over and not yet durable, and the age of the oldest in milliseconds (0: none). */
  lag(): { entries: number; oldestMs: number };
  /**
   * Closes with `unknown` each open intent of this node's earlier boots and of any boot whose lease ran out, and makes their claims and
   * approvals `unknown` in the same transaction. Returns how many. Called at start and then every few seconds. A boot has a lease
   * (15 s, renewed by the journal itself) while it has open calls.
   */
  recover(): Promise<number>;
  /** Flushes, releases the lease, closes. */
  close(): Promise<void>;
}
