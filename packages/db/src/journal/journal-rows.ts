import type { ApprovalStateRow } from '../approval-state.ts';
import type { ClaimStateRow } from '../claim-state.ts';
import type { ClaimScope } from '../ports/claims.ts';
import type { ApprovalRow, ClaimRow, GrantRow } from '../tables.ts';

/**
 * The rows that the journal's transactions read and change, as an engine holds them. Everything here happens in one open transaction, at
 * once and in order: what was changed is found so. What a change means is decided by whoever calls; an engine stores it.
 */
export interface JournalRows {
  readonly entries: EntryStore;
  readonly leases: LeaseStore;
  readonly openIntents: OpenIntentStore;
  readonly claims: ClaimStore;
  readonly grants: GrantStore;
}

/** Where the next entry of a log belongs. */
export interface LogEnd {
  readonly log: number;
  seq: number;
}

/** What a row says besides its entry. */
export interface RowMarks {
  /** Of intents. */
  readonly requestId?: string;
  readonly lease?: number;
  /** Of outcomes: the seq of their intent. */
  readonly closes?: number | undefined;
}

export interface EntryStore {
  /** The end of a tenant's log as it is stored, each time a new object; the log begins here when there is none. */
  readEnd(tenant: string): LogEnd;
  /** Takes along an entry that belongs at `end`. `key`: see `request-key.ts`. */
  add(end: LogEnd, text: string, key: number | null, marks: RowMarks): void;
  /** Stores what was taken along. */
  write(): void;
  /** What was taken along is not to be stored. */
  drop(): void;
}

export interface LeaseStore {
  /** The lease is there as its boot wrote it. */
  isThere(lease: number, boot: string, until: number): boolean;
  /** The number of the new lease. `scanned_to` of it, and of one that is renewed, is the newest place of the log. */
  insert(boot: string, node: string, until: number): number;
  renew(lease: number, until: number): void;
  /** As one that has run out. */
  end(lease: number): void;
  remove(lease: number): void;
}

/** Which intents were open when a lease was renewed. */
export interface OpenIntentStore {
  insert(lease: number, log: number, seq: number): void;
  remove(lease: number, log: number, seq: number): void;
}

export type FoundClaim = ClaimStateRow &
  Pick<ClaimRow, 'fence' | 'approval_id' | 'answer' | 'created_at'> & { readonly place: number };

/** A claim that a call has taken: its row, and what tells that nobody has taken it on. */
export interface HeldClaim {
  readonly place: number;
  readonly fence: number;
}

/** What a call writes into the claim that it takes. */
export type TakenClaim = Pick<
  ClaimRow,
  'state' | 'fence' | 'fingerprint' | 'lease' | 'request_id' | 'approval_id' | 'created_at' | 'expires_at'
>;

/** What an outcome writes into the claim of its call. */
export type SettledClaim = Pick<ClaimRow, 'state' | 'answer' | 'problem_code' | 'problem_status'> & {
  /** null: as it was. */
  readonly expires_at: number | null;
};

export interface ClaimStore {
  find(scope: ClaimScope): FoundClaim | undefined;
  /** The place of the new row. */
  insert(scope: ClaimScope, taken: TakenClaim): number;
  /** Problem, answer and `retry_allowed` of the row are none from here on; nor is there a resolution unless it is kept. */
  take(claim: FoundClaim, taken: TakenClaim, keepsResolution: boolean): void;
  /**
   * Only while the row is `dispatching` with that fence for that request; false: it is not, and nothing changes. It has no lease
   * from here on.
   */
  settle(claim: HeldClaim, requestId: string, settled: SettledClaim): boolean;
  /** Makes `unknown` what is `dispatching` for a request. */
  abandon(requestId: string): void;
  /** The number of the new answer. */
  addAnswer(tenant: string, sealed: Uint8Array): number;
  dropAnswer(answer: number): void;
}

export type FoundGrant = Pick<
  GrantRow,
  | 'id'
  | 'agent'
  | 'kind'
  | 'fingerprint'
  | 'integration'
  | 'action'
  | 'method'
  | 'uses_left'
  | 'revoked_at'
  | 'approval_id'
> &
  ApprovalStateRow & { readonly grant_ends_at: number; readonly asked_fingerprint: string };

/** The first execution of an approval. */
export interface Execution {
  readonly tenant: string;
  readonly approvalId: string;
  readonly requestId: string;
}

export interface GrantStore {
  find(tenant: string, id: string): FoundGrant | undefined;
  /** `by` is 1 or -1. */
  addUses(tenant: string, id: string, by: number): void;
  /** Makes an `approved` approval `executing`. */
  execute(execution: Execution, lease: number): void;
  /** Only while it is `executing` for that request; false: it is not, and nothing changes. One that is `approved` again was executed by nobody. */
  endExecution(execution: Execution, to: ApprovalRow['status']): boolean;
  /** Makes `unknown` what is `executing` for a request; false: nothing is. */
  abandon(requestId: string): boolean;
}
