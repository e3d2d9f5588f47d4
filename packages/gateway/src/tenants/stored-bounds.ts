import {
  type DbContext,
  DEFAULT_APPROVAL_CAPS,
  type NewApproval,
  type OpenedApproval,
  type StoredLimit,
  TenantLimitReached,
} from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { CompiledTenant } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';

type BoundedTenant = Pick<CompiledTenant, 'name' | 'bounds'>;

/** When what is full may have room again: nobody knows, so not too soon. */
const FULL_RETRY_SECONDS = 10;

/** Whether what is stored of the tenant's requests is counted as it is written. */
export function boundsSealedBytes({ bounds }: BoundedTenant): boolean {
  return bounds?.limits.sealedBytes !== undefined;
}

/**
 * Opens an approval within the tenant's bound on those that wait, counted in the transaction that opens it.
 *
 * @throws TenantLimitReached when it would be one too many: then nothing is stored
 */
export function createBoundedApproval(
  { approvals, queue, tenantLimits }: Gateway,
  { bounds }: BoundedTenant,
  approval: NewApproval,
  nowMs: number,
): Promise<OpenedApproval> {
  const at = { nowMs, caps: DEFAULT_APPROVAL_CAPS };
  if (bounds?.limits.pendingApprovals === undefined) return approvals.createFromCanonicalDescriptor(approval, at);
  return queue.runInTransaction(async (context) => {
    const opened = await approvals.createFromCanonicalDescriptor(approval, at, context);
    if (opened.kind === 'created') {
      await tenantLimits.requireRoom(approval.tenant, ['pendingApprovals'], nowMs, context);
    }
    return opened;
  });
}

/** In the transaction that queued a call. @throws TenantLimitReached */
export async function requireQueueRoom(
  { tenantLimits, now }: Pick<Gateway, 'tenantLimits' | 'now'>,
  { name, bounds }: BoundedTenant,
  context: DbContext,
): Promise<void> {
  const { queuedCalls, queuedBytes } = bounds?.limits ?? {};
  if (queuedCalls === undefined && queuedBytes === undefined) return;
  await tenantLimits.requireRoom(name, ['queuedCalls', 'queuedBytes'], now(), context);
}

/**
 * The refusal of a call that would be stored, to be approved or to be sent later, and for which its tenant has no room; undefined for any
 * other error.
 */
export function noRoom(error: unknown, purpose: 'approval' | 'queue'): Rejection | undefined {
  if (!(error instanceof TenantLimitReached)) return undefined;
  const detail = `The tenant has ${WORDS[error.limit] ?? 'as much of this'} as it may.`;
  const details = { retryAfterSeconds: FULL_RETRY_SECONDS };
  return purpose === 'queue'
    ? new Rejection('overloaded', detail, { details })
    : new Rejection('approval_limit', detail, { details: { ...details, decision: 'require_approval' } });
}

const WORDS: Readonly<Partial<Record<StoredLimit, string>>> = {
  queuedCalls: 'as many calls in the queue',
  queuedBytes: 'as many bytes in the queue',
  sealedBytes: 'as many bytes of requests stored',
  pendingApprovals: 'as many approvals waiting',
};
