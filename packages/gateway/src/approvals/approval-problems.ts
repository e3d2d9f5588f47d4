import type { ApprovalRecord, ApprovalStatus } from '@postern/db/ports';
import { Rejection, type RejectionDetails } from '@postern/schemas';
import type { Gateway } from '../gateway.ts';

/** What a problem or a document tells of an approval. */
export function approvalDetails(
  gateway: Gateway,
  { id, status, expiresAt }: Pick<ApprovalRecord, 'id' | 'status' | 'expiresAt'>,
): NonNullable<RejectionDetails['approval']> {
  return { id, status, statusUrl: statusUrl(gateway, id), expiresAt: new Date(expiresAt).toISOString() };
}

export function statusUrl(gateway: Gateway, id: string): string {
  return `${gateway.publicUrl()}/v1/approvals/${id}`;
}

/** What a call is told whose approval stands so; undefined where it may be sent. */
export function approvalProblem(
  gateway: Gateway,
  approval: Pick<ApprovalRecord, 'id' | 'status' | 'expiresAt'>,
): Rejection | undefined {
  const problem = PROBLEMS[approval.status];
  if (problem === undefined) return undefined;
  const [code, detail] = problem;
  return new Rejection(code, detail, {
    details: {
      decision: 'require_approval',
      approval: approvalDetails(gateway, approval),
      ...(code === 'in_flight' ? { retryAfterSeconds: 1 } : {}),
    },
  });
}

type Told = readonly [code: Rejection['code'], detail: string];

const PROBLEMS: Readonly<Record<ApprovalStatus, Told | undefined>> = {
  pending: ['approval_required', 'A person must approve this call. Ask again at statusUrl, or send the call again.'],
  approved: undefined,
  denied: ['approval_denied', 'A person has denied this call.'],
  expired: ['approval_expired', 'The time to approve or to execute this call is over.'],
  cancelled: ['approval_expired', 'The request for approval was cancelled.'],
  executing: ['in_flight', 'The approved call is being executed.'],
  executed: ['replay_unavailable', 'The approved call was executed, and its answer was not kept.'],
  failed: ['replay_unavailable', 'The approved call was executed, and its answer could not be passed on.'],
  unknown: ['outcome_unknown', 'It is not known whether the approved call took effect; nothing is sent again.'],
};
