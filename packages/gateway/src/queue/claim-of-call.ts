import type { ClaimRecord, ClaimScope, DbContext, QueuedCallRecord } from '@postern/db/ports';
import type { Gateway } from '../gateway.ts';

export function scopeOf({ tenant, agent, integration, claimKey }: QueuedCallRecord): ClaimScope {
  return { tenant, agent, integration, key: claimKey };
}

/** Whether the claim is of the life of the key in which the call was queued, or was made by its dispatch, and not of a later one. */
export function isOfLife(
  { createdAt, requestId }: QueuedCallRecord,
  claim: ClaimRecord | undefined,
): claim is ClaimRecord {
  return claim !== undefined && (createdAt >= claim.createdAt || claim.requestId === requestId);
}

/** Frees the key of a call that will not be sent. Nothing when it is anything but reserved for this call. Part of a transaction. */
export async function releaseClaim(gateway: Gateway, call: QueuedCallRecord, context: DbContext): Promise<void> {
  const now = gateway.now();
  const scope = scopeOf(call);
  if (isOfLife(call, await gateway.claims.find(scope, now, context))) await gateway.claims.release(scope, now, context);
}
