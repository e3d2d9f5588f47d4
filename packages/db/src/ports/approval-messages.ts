import type { ApprovalSummary } from './approvals.ts';

/** What of approvals is told to endpoints (specification, section 9). */
export type ApprovalNews = 'approval.created' | 'approval.decided' | 'approval.expired';

/**
 * The body of the message that tells of a change of an approval, and of nothing more than others may know. Asked for inside the
 * transaction of the change, only where somebody is told of it. Must not throw.
 */
export type EncodeApprovalMessage = (
  approval: ApprovalSummary,
  news: { readonly type: ApprovalNews; readonly at: number },
) => string;
