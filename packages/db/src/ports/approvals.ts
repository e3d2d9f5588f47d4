import type { ClaimState, ClaimVerdict } from './claims.ts';
import type { DbContext, Page, PageRequest } from './context.ts';
import type { GrantKind, GrantTerms } from './grants.ts';

/**
 *   pending → approved | denied | expired | cancelled
 *   approved → executing → executed | failed | unknown;   approved → expired | pending (more approvers asked)
 *   executing → approved (provably nothing was sent)
 *
 * `executing` and what follows belong to the call journal, which enters and leaves them with intents and outcomes. An approval that is
 * `pending` at `expiresAt`, or `approved` at `executeUntil`, reads `expired`, whatever is stored; one that is `executing` under a
 * lease that ran out reads `unknown`.
 */
export const APPROVAL_STATUSES = [
  'pending',
  'approved',
  'denied',
  'expired',
  'cancelled',
  'executing',
  'executed',
  'failed',
  'unknown',
] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];

/** On what terms people approve, of all rules that ask. */
export interface ApprovalTerms {
  /** Distinct people; of each group, when groups are given. */
  readonly approvers: number;
  readonly groups: readonly string[];
  readonly pendingSeconds: number;
  readonly executeSeconds: number;
  /** The widest grant that may be given. */
  readonly grant: GrantKind;
}

/** One person's yes. A no ends the approval at once. */
export interface ApprovalVote {
  /** The administrator's name. */
  readonly by: string;
  /** The groups that count for this person, as they were then. */
  readonly groups: readonly string[];
  readonly at: number;
  readonly note?: string;
  /** The grant this person would give. */
  readonly grant?: { readonly kind: GrantKind; readonly times?: number; readonly until?: number };
}

/** What an approval is about, from the descriptor. `tenant`, `agent`, `fingerprint` are its binding. */
export interface ApprovalSubject {
  readonly tenant: string;
  readonly agent: string;
  readonly environment?: string | undefined;
  readonly integration: string;
  readonly action?: string | undefined;
  readonly method: string;
  /** The canonical URL. */
  readonly url: string;
  readonly fingerprint: string;
  /** Of the call that asked. */
  readonly requestId: string;
  /** One line for lists; what the agent may see. */
  readonly summary: string;
  /** The agent's stated purpose. */
  readonly intent?: string | undefined;
  readonly risk?: ApprovalRisk | undefined;
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
  readonly policyVersion?: string | undefined;
}

export interface ApprovalRisk {
  readonly score: number;
  readonly labels: readonly string[];
}

export interface NewApproval extends ApprovalSubject {
  /** The descriptor's RFC 8785 text. */
  readonly descriptor: string;
  readonly terms: ApprovalTerms;
  /** Id of the stored request (`SealedRequestsPort`), which is kept from here on as long as the approval and its grants need it. */
  readonly sealedRequest?: string | undefined;
  /** The key the call came with: it awaits this approval from here on, and the execution takes it. */
  readonly claim?: ApprovalClaim | undefined;
}

export interface ApprovalClaim {
  readonly key: string;
  readonly expiresAt: number;
  /** As with `ClaimTake`: one that is `unknown` may be dispatched again. It stays `unknown` until it is. */
  readonly mayRepeat?: boolean;
}

/** As lists show it. */
export interface ApprovalSummary extends ApprovalSubject {
  readonly id: string;
  /** As it reads at the time asked for. */
  readonly status: ApprovalStatus;
  readonly terms: ApprovalTerms;
  readonly votes: readonly ApprovalVote[];
  readonly createdAt: number;
  /** End of the pending window. */
  readonly expiresAt: number;
  readonly approvedAt?: number;
  /** End of the execute window. */
  readonly executeUntil?: number;
  /** Who decided, or cancelled, when, and what was said to it. */
  readonly decidedBy?: string;
  readonly decidedAt?: number;
  readonly decisionReason?: string;
  /** Of a denied one: until then its binding opens no other. */
  readonly deniedUntil?: number;
  /** The key of the call that opened it. */
  readonly claimKey?: string;
  readonly sealedRequest?: string;
  /** The call of the first execution. */
  readonly executedBy?: string;
}

export interface ApprovalRecord extends ApprovalSummary {
  readonly descriptor: string;
}

export interface ApprovalCaps {
  /** Pending ones of an agent. */
  readonly pendingMax: number;
  /** New ones of an agent in any 60 s. */
  readonly newPerMinuteMax: number;
}

/** Specification, section 9. */
export const DEFAULT_APPROVAL_CAPS: ApprovalCaps = { pendingMax: 20, newPerMinuteMax: 20 };

export type OpenedApproval =
  | { readonly kind: 'created'; readonly approval: ApprovalRecord }
  /** One of the same binding is pending. */
  | { readonly kind: 'joined'; readonly approval: ApprovalRecord }
  /** The binding was denied a short while ago; ask no one until `approval.deniedUntil`. */
  | { readonly kind: 'denied'; readonly approval: ApprovalRecord }
  | { readonly kind: 'limit'; readonly cap: keyof ApprovalCaps; readonly retryAfterSeconds: number }
  /** The key is another call's, or is being used. Nothing is stored. */
  | { readonly kind: 'claim_lost'; readonly found: ClaimState | 'fingerprint_mismatch' };

export type ApprovalTransition =
  /** From `pending`. Makes the grant too. */
  | {
      readonly to: 'approved';
      readonly by: string;
      readonly at: number;
      readonly executeUntil: number;
      readonly grant: GrantTerms;
      readonly note?: string;
    }
  /** From `pending`. `deniedUntil`: default 60 s after `at`. */
  | {
      readonly to: 'denied';
      readonly by: string;
      readonly at: number;
      readonly reason: string;
      readonly deniedUntil?: number;
    }
  /** From `pending`, by the agent (`by` its name) or a person. */
  | { readonly to: 'cancelled'; readonly by: string; readonly at: number; readonly reason?: string }
  /** From `pending` or `approved`, once its time is over at `at`. */
  | { readonly to: 'expired'; readonly at: number }
  /** From `approved`: policy asks for more. Votes are kept, its grants are revoked, its pending window begins again. */
  | { readonly to: 'pending'; readonly at: number; readonly terms: ApprovalTerms; readonly reason: string };

export interface ApprovalChange {
  /** False: it was not in a state that this leads from, and nothing changed. */
  readonly isDone: boolean;
  /** As it is after the change, or as it stands in its way (409 `approval_decided` tells who and when). */
  readonly approval: ApprovalRecord;
  /** Of `approved`: the grant that was made. */
  readonly grantId?: string;
}

/**
 * Approvals. Every change of state is one conditional update on the old one, with its audit entry (`approval.created | decided |
 * expired | cancelled`) in the same transaction, and so are its claims: those that await an approval that is denied, expired or
 * cancelled become `failed_final` (`approval_denied` 403, `approval_expired` 410) for 60 s from then. All methods judge time by what they
 * are given, never by a clock of their own. What endpoints are told of a change is put into the outbox in the same transaction.
 */
export interface ApprovalsPort {
  /** Opens an approval without joining and without caps. Fails `conflict` when one of the binding is pending or was denied a short while ago, or its claim cannot await it. */
  create(approval: NewApproval, nowMs: number, context?: DbContext): Promise<ApprovalRecord>;
  /**
   * Opens an approval, or joins the pending one of the same binding; with the claim in the same transaction, and at most one pending
   * for each binding at any time (a unique index is the second wall). Caps count what is pending, and what was made in the last 60 s,
   * and are checked in the same transaction. `caps`: default `DEFAULT_APPROVAL_CAPS`.
   */
  createFromCanonicalDescriptor(
    approval: NewApproval,
    at: { readonly nowMs: number; readonly caps?: ApprovalCaps },
    context?: DbContext,
  ): Promise<OpenedApproval>;
  getById(tenant: string, id: string, nowMs: number, context?: DbContext): Promise<ApprovalRecord | undefined>;
  /** The one of this binding that reads `pending` or `approved` at `nowMs`; `pending` before `approved`, then the newest. */
  findOpenByFingerprint(
    binding: { readonly tenant: string; readonly agent: string; readonly fingerprint: string },
    nowMs: number,
    context?: DbContext,
  ): Promise<ApprovalRecord | undefined>;
  /** Newest first, by time then id. By `status` as it reads at `nowMs`. */
  list(
    tenant: string,
    filter: { readonly status?: ApprovalStatus; readonly agent?: string },
    page: PageRequest & { readonly nowMs: number },
  ): Promise<Page<ApprovalSummary>>;
  /** How many read `pending` at `nowMs`; `tenant` undefined: of all tenants. */
  countPending(tenant: string | undefined, nowMs: number): Promise<number>;
  /**
   * Adds a yes while it reads `pending` at `vote.at`, one for each person; with an entry (`approval.decided`, decision
   * `require_approval`). Whether that is enough is the caller's to judge, in the same transaction: then `transition`. Fails `not_found`.
   */
  addVote(tenant: string, id: string, vote: ApprovalVote, context?: DbContext): Promise<ApprovalChange>;
  /** Fails `not_found`, and `invalid` for a change that no caller may ask for. */
  transition(tenant: string, id: string, change: ApprovalTransition, context?: DbContext): Promise<ApprovalChange>;
  /**
   * Binds a further key to a pending or approved one: a call with a key that joined it, or asks again with the same key. The claim
   * must be absent, `reserved`, `failed_not_sent` or `awaiting_approval` of the same fingerprint; one that is `unknown` and may be
   * repeated stays as it is, and is `isDone`. Fails `not_found`, and `stale` when the approval reads neither.
   */
  bindClaim(
    approval: { readonly tenant: string; readonly id: string },
    claim: ApprovalClaim & { readonly agent: string; readonly integration: string; readonly requestId: string },
    nowMs: number,
    context?: DbContext,
  ): Promise<ClaimVerdict>;
  /**
   * Tidies: stores `expired` for what reads so, as `transition` would, at most `limit` at a time, and tells which, so that they can be
   * announced. No answer of any other method depends on it.
   */
  sweep(nowMs: number, limit: number): Promise<readonly ApprovalSummary[]>;
}
