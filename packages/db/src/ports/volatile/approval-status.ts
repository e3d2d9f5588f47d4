import type { ApprovalStatus } from '../approvals.ts';
import type { PutOutcome } from './put-outcome.ts';

export interface KnownApprovalStatus {
  readonly status: ApprovalStatus;
  /** Of the change that led to it, in milliseconds since the epoch. */
  readonly changedAtMs: number;
}

/** What somebody who waits for an approval is told meanwhile. No call is sent by it: stage and commit read the row. */
export interface ApprovalStatusPort {
  /**
   * Keeps the status until the approval's end (at most 31 days ahead; a past one is kept for a second). `skipped_stale` when one with a
   * later change is kept. Atomic. Fails `unavailable`.
   */
  put(
    tenant: string,
    approval: string,
    known: KnownApprovalStatus & { readonly expiresAtMs: number },
  ): Promise<PutOutcome>;
  /** Undefined: read the row. Fails `unavailable`. */
  get(tenant: string, approval: string): Promise<KnownApprovalStatus | undefined>;
  drop(tenant: string, approval: string): Promise<void>;
}
