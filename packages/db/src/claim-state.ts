import type { ApprovalStatus } from './ports/approvals.ts';
import type { ClaimTake, LostCondition } from './ports/call-journal.ts';
import type { ClaimState } from './ports/claims.ts';
import type { ClaimRow } from './tables.ts';

/** How long the end of an approval is told to re-sends of a key that awaited it; then the key is free. */
export const APPROVAL_PROBLEM_MS = 60_000;

/** What a claim that awaited an approval says once that has ended without an execution. */
export const APPROVAL_PROBLEMS = {
  denied: { code: 'approval_denied', status: 403 },
  expired: { code: 'approval_expired', status: 410 },
  cancelled: { code: 'approval_expired', status: 410 },
} as const;

/** What says how a claim reads: its row, the lease it is sent under, the approval that it awaits. */
export type ClaimStateRow = Pick<ClaimRow, 'state' | 'expires_at' | 'retry_allowed' | 'fingerprint'> & {
  /** null when the lease is gone. */
  readonly lease_until: number | null;
  /** Of one that is `awaiting_approval`. */
  readonly approval_status: ApprovalStatus | null;
  /** When that approval ends if nobody does anything. */
  readonly approval_ends_at: number | null;
};

/** The state as it reads at `nowMs`; undefined: the key is free. */
export function claimStateOf(row: ClaimStateRow, nowMs: number): ClaimState | undefined {
  if (row.state === 'unknown') return 'unknown';
  if (row.state === 'dispatching') {
    return row.lease_until === null || row.lease_until <= nowMs ? 'unknown' : 'dispatching';
  }
  if (row.expires_at <= nowMs) return undefined;
  const endedAt = approvalEndOf(row, nowMs);
  if (endedAt === undefined) return row.state;
  return endedAt + APPROVAL_PROBLEM_MS <= nowMs ? undefined : 'failed_final';
}

/** When the approval ended that a claim awaits, though nobody has stored it yet. */
export function approvalEndOf(row: ClaimStateRow, nowMs: number): number | undefined {
  if (row.state !== 'awaiting_approval' || row.approval_ends_at === null) return undefined;
  return row.approval_ends_at <= nowMs ? row.approval_ends_at : undefined;
}

/** Why a call may not take the claim; undefined: it may. */
export function claimObstacle(
  row: ClaimStateRow | undefined,
  take: Pick<ClaimTake, 'fingerprint' | 'mayRepeat'>,
  nowMs: number,
): LostCondition | undefined {
  const state = row === undefined ? undefined : claimStateOf(row, nowMs);
  if (row === undefined || state === undefined) return undefined;
  if (row.fingerprint !== take.fingerprint) return { lost: 'claim_lost', found: 'fingerprint_mismatch' };
  switch (state) {
    case 'reserved':
    case 'awaiting_approval':
    case 'failed_not_sent':
      return undefined;
    case 'unknown':
      return take.mayRepeat === true || row.retry_allowed === 1 ? undefined : { lost: 'claim_lost', found: state };
    case 'dispatching':
    case 'succeeded':
    case 'failed_final':
      return { lost: 'claim_lost', found: state };
  }
}
