import type { KeyObject } from 'node:crypto';
import type { ApprovalSummary, ApprovalsPort, ClaimsPort, GrantsPort, SealedRequestsPort } from '@postern/db/ports';
import type { Vault } from '@postern/vault';
import type { ApprovalWatch } from './approval-watch.ts';

/** What becomes of an approval on the data plane. */
export type ApprovalEvent = 'approval.created' | 'approval.cancelled';

/** What calls with an idempotency key, and calls that a person must approve, are kept with. */
export interface HeldCalls {
  readonly claims: ClaimsPort;
  readonly approvals: ApprovalsPort;
  readonly grants: GrantsPort;
  readonly sealedRequests: SealedRequestsPort;
  /** Seals what is kept of requests and answers. */
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  /** Wakes calls that wait for a person. */
  readonly approvalWatch: ApprovalWatch;
  readonly onApproval: (approval: ApprovalSummary, event: ApprovalEvent) => void;
  /** Of what upstreams are sent in place of callers' idempotency keys. */
  readonly upstreamKeyKey: KeyObject;
}
