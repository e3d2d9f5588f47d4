import type { ApprovalSummary } from '@postern/db/ports';
import type { LiveEvent } from '../events/event-hub.ts';

/** `voted` is a yes that is not the last one needed; `reopened`, that policy came to ask for more of them. */
export const APPROVAL_EVENTS = [
  'approval.created',
  'approval.voted',
  'approval.decided',
  'approval.reopened',
  'approval.expired',
  'approval.cancelled',
] as const;
export type ApprovalEventType = (typeof APPROVAL_EVENTS)[number];

/** What watchers are told of an approval: which one, in one line what about, and how it stands. `at`: milliseconds since the epoch. */
export function approvalEvent(type: ApprovalEventType, approval: ApprovalSummary, at: number): LiveEvent {
  const { tenant, id, status, agent, integration, action, risk, summary, expiresAt, decidedBy } = approval;
  const data = {
    approvalId: id,
    status,
    agent,
    integration,
    ...(action === undefined ? {} : { action }),
    ...(risk === undefined ? {} : { risk }),
    summary,
    expiresAt: new Date(expiresAt).toISOString(),
    ...(decidedBy === undefined ? {} : { decidedBy }),
  };
  return { tenant, type, at, data };
}
