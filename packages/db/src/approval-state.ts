import type { ApprovalStatus } from './ports/approvals.ts';
import type { ApprovalRow } from './tables.ts';

/** What says how an approval reads. `lease_until` is of the lease that it is executed under; null when that is gone. */
export type ApprovalStateRow = Pick<ApprovalRow, 'status' | 'expires_at' | 'execute_until'> & {
  readonly lease_until: number | null;
};

/** The status as it reads at `nowMs`, whatever the sweeper has stored. */
export function approvalStatusOf(row: ApprovalStateRow, nowMs: number): ApprovalStatus {
  switch (row.status) {
    case 'pending':
      return row.expires_at <= nowMs ? 'expired' : 'pending';
    case 'approved':
      return row.execute_until === null || row.execute_until <= nowMs ? 'expired' : 'approved';
    case 'executing':
      return row.lease_until === null || row.lease_until <= nowMs ? 'unknown' : 'executing';
    case 'denied':
    case 'expired':
    case 'cancelled':
    case 'executed':
    case 'failed':
    case 'unknown':
      return row.status;
  }
}
