import { createHmac, type KeyObject } from 'node:crypto';
import type { ClaimScope } from '@postern/db/ports';

/**
 * What an upstream that honours keys is sent for a claim (specification, section 10): base64url of HMAC-SHA-256 under a key of the
 * gateway's own, 43 characters. The client's key stays here, and no two scopes share one: each part stands after its length.
 */
export function upstreamKey(gatewayKey: KeyObject, { tenant, agent, integration, key }: ClaimScope): string {
  const mac = createHmac('sha256', gatewayKey).update('postern/upstream-key/v1\n');
  for (const part of [tenant, agent, integration, key]) mac.update(`${Buffer.byteLength(part)}:${part}\n`);
  return mac.digest('base64url');
}
