import { visibleText } from '@postern/approvals';
import type { ApprovalRecord, ApprovalStatus } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { isoTime } from '../views.ts';

/** 409 `approval_decided`: tells what became of it, through whom and when. */
export function alreadyDecided(approval: ApprovalRecord, publicUrl: string | undefined): Rejection {
  const { id, status, expiresAt, decidedBy, decidedAt } = approval;
  return new Rejection('approval_decided', `${storyOf(approval)}.`, {
    details: {
      approval: {
        id,
        status,
        statusUrl: `${publicUrl?.replace(/\/+$/, '') ?? ''}/v1/approvals/${id}`,
        expiresAt: isoTime(expiresAt),
        ...(decidedBy === undefined ? {} : { decidedBy }),
        ...(decidedAt === undefined ? {} : { decidedAt: isoTime(decidedAt) }),
      },
    },
  });
}

/** What has come of an approval after its decision. */
const SINCE: Partial<Record<ApprovalStatus, string>> = {
  executing: ', and it is being executed',
  executed: ', and it was executed',
  failed: ', and it was executed and failed',
  unknown: ', and it is not known whether it took effect',
  expired: ', and the time to execute it is over',
};

function storyOf({ status, decidedBy, decidedAt, expiresAt }: ApprovalRecord): string {
  if (decidedBy === undefined || decidedAt === undefined) return `It expired at ${isoTime(expiresAt)}`;
  const word = status === 'denied' || status === 'cancelled' ? status : 'approved';
  return `It was ${word} by ${visibleText(decidedBy)} at ${isoTime(decidedAt)}${SINCE[status] ?? ''}`;
}
