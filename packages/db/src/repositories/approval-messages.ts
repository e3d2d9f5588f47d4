import type { TransactionScope } from '../client.ts';
import type { ApprovalNews } from '../ports/approval-messages.ts';
import type { ApprovalSummary, ApprovalTransition } from '../ports/approvals.ts';
import { selectSubscribed } from './notification-endpoints.ts';
import { insertMessage } from './outbox.ts';
import type { RepositoryOptions } from './repository-options.ts';

/** A transaction in which approvals change: with what becomes of them, others are told of it or nothing happens. */
export interface ApprovalScope extends TransactionScope {
  announce(approval: ApprovalSummary, type: ApprovalNews, at: number): Promise<void>;
}

/** Puts a message for each endpoint that wants to know into the outbox, in the transaction of the change itself. */
export function announcing(
  scope: TransactionScope,
  { newId, approvalMessage }: Pick<RepositoryOptions, 'newId' | 'approvalMessage'>,
): ApprovalScope {
  const { kysely, appendEntry } = scope;
  return {
    kysely,
    appendEntry,
    async announce(approval, type, at) {
      if (approvalMessage === undefined) return;
      const { tenant } = approval;
      const endpoints = await selectSubscribed(kysely(tenant), tenant, type);
      if (endpoints.length === 0) return;
      const body = approvalMessage(approval, { type, at });
      for (const { id: endpoint } of endpoints) {
        await insertMessage(kysely(tenant), { message: { tenant, endpoint, type, body }, id: newId(), nowMs: at });
      }
    },
  };
}

/** Back to `pending` asks people anew; a cancellation ends what they were asked, as a decision does. */
export const NEWS_OF: Readonly<Record<Exclude<ApprovalTransition['to'], 'expired'>, ApprovalNews>> = {
  approved: 'approval.decided',
  denied: 'approval.decided',
  cancelled: 'approval.decided',
  pending: 'approval.created',
};
