import { encodeNotification } from '@postern/approvals';
import type { EncodeApprovalMessage } from '@postern/db/ports';

export interface ApprovalMessageOptions {
  /** Base of links into the control plane, without trailing slash; known once the listener is bound. */
  readonly adminUrl: () => string;
  /** A message is about to be added to the outbox; its transaction is not committed yet. */
  readonly onMessage: () => void;
}

/** Makes the bodies by which endpoints are told of approvals: identifiers, risk, a link; no arguments, no reasons. */
export function createApprovalMessages({ adminUrl, onMessage }: ApprovalMessageOptions): EncodeApprovalMessage {
  return (approval, { type, at }) => {
    onMessage();
    const { tenant, id, status, agent, integration, action, risk, expiresAt } = approval;
    const about = { tenant, approvalId: id, status, agent, integration, action, risk, expiresAt };
    return encodeNotification({ type, at, url: `${adminUrl()}/v1/approvals/${encodeURIComponent(id)}`, ...about });
  };
}
