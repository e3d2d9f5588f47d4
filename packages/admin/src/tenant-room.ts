import type { DbContext, StoredLimit, TenantUsage } from '@postern/db/ports';
import { Rejection, TENANT_LIMIT_KINDS, type TenantLimits } from '@postern/schemas';
import type { WriteDependencies } from './dependencies.ts';

/** What of a tenant's configuration is bounded, and how much of it there was when a write began. */
export interface RoomBefore {
  readonly limits: TenantLimits;
  readonly kinds: readonly StoredLimit[];
  readonly usage: TenantUsage;
}

/** Those that writes of configuration can exceed. */
const CONFIGURED: readonly StoredLimit[] = ['agents', 'integrations', 'rules', 'secrets', 'templates'];

/** undefined: nothing is bounded, and nothing was counted. */
export async function readRoom(
  { repositories: { tenantLimits }, now }: WriteDependencies,
  tenant: string,
  context: DbContext,
): Promise<RoomBefore | undefined> {
  const { limits } = await tenantLimits.get(tenant, context);
  const kinds = CONFIGURED.filter((kind) => limits[kind] !== undefined);
  if (kinds.length === 0) return undefined;
  return { limits, kinds, usage: await tenantLimits.usage(tenant, now(), { kinds, context }) };
}

/**
 * Refuses a write that has made more of something than the tenant may have. One that has more already may change and remove, not add: the
 * bound may have been set later.
 *
 * @throws Rejection `conflict`
 */
export async function checkRoomLeft(
  { repositories: { tenantLimits }, now }: WriteDependencies,
  tenant: string,
  { limits, kinds, usage: before }: RoomBefore,
  context: DbContext,
): Promise<void> {
  const after = await tenantLimits.usage(tenant, now(), { kinds, context });
  for (const kind of kinds) {
    const max = limits[kind] ?? Number.POSITIVE_INFINITY;
    if (after[kind] > max && after[kind] > before[kind]) throw noRoom(tenant, kind, { max, wanted: after[kind] });
  }
}

function noRoom(tenant: string, kind: StoredLimit, { max, wanted }: { max: number; wanted: number }): Rejection {
  const words = TENANT_LIMIT_KINDS[kind].words.toLowerCase();
  return new Rejection(
    'conflict',
    `The tenant ${tenant} may have at most ${max} ${words} (its limit "${kind}", set by an instance owner); this would make ${wanted}.`,
  );
}
