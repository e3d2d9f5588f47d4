import type { KeyObject } from 'node:crypto';
import type {
  ApprovalSummary,
  ApprovalsPort,
  ClaimsPort,
  GrantsPort,
  SealedRequestsPort,
  TenantLimitsPort,
} from '@postern/db/ports';
import type { Vault } from '@postern/vault';
import { AnsweredClaims } from '../claims/answered-claims.ts';
import { ApprovalWatch } from './approval-watch.ts';

/** What becomes of an approval on the data plane. */
export type ApprovalEvent = 'approval.created' | 'approval.reopened' | 'approval.cancelled';

/** What calls with an idempotency key, and calls that a person must approve, are kept with. */
export interface HeldCalls {
  readonly claims: ClaimsPort;
  /** Answers that were replayed lately. */
  readonly answeredClaims: AnsweredClaims;
  readonly approvals: ApprovalsPort;
  readonly grants: GrantsPort;
  readonly sealedRequests: SealedRequestsPort;
  /** Asked for tenants that have limits alone. */
  readonly tenantLimits: TenantLimitsPort;
  /** Seals what is kept of requests and answers. */
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  /** Wakes calls that wait for a person. */
  readonly approvalWatch: ApprovalWatch;
  readonly onApproval: (approval: ApprovalSummary, event: ApprovalEvent) => void;
  /** Of what upstreams are sent in place of callers' idempotency keys. */
  readonly upstreamKeyKey: KeyObject;
}

/** What this process alone keeps of them; it may be lost at any time. */
export type HeldCallMemory = Pick<HeldCalls, 'approvalWatch' | 'answeredClaims'>;

export function createHeldCallMemory(): HeldCallMemory {
  return { approvalWatch: new ApprovalWatch(), answeredClaims: new AnsweredClaims() };
}
