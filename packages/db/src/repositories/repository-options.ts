import type { EncodeApprovalMessage } from '../ports/approval-messages.ts';

export interface RepositoryOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A new identifier, unique for ever: agents, integrations, secrets and administrators get one. */
  readonly newId: () => string;
  /** Makes the messages by which endpoints are told of approvals. Absent: nobody is told. */
  readonly approvalMessage?: EncodeApprovalMessage;
}
