import type { CountedLimit } from '@postern/db/ports';
import { Rejection, type TenantLimits } from '@postern/schemas';
import { BodyMemory } from '../body/body-memory.ts';
import type { CompiledTenant } from '../directory/compiled-tenant.ts';
import type { WideEvent } from '../wide-event.ts';

/** What a tenant's calls hold of this process: one for all versions of the tenant's configuration. */
export interface TenantLoad {
  calls: number;
  memory: BodyMemory | undefined;
}

/** What an instance owner has bounded of a tenant, as calls meet it. A tenant without has none, and costs nothing. */
export interface TenantBounds {
  readonly limits: TenantLimits;
  /** `callsPerSecond`, counted as the limits of rules are. */
  readonly rate: CountedLimit | undefined;
  readonly load: TenantLoad;
}

/** What the limit is called where the caller is told of it; no rule can have this name. */
export const CALLS_PER_SECOND_RULE = 'tenant:callsPerSecond';

/** Makes the bounds of a tenant that has limits. Kept as long as the process: calls under an old version and a new one count as one. */
export function createTenantBounds(): (tenant: string, limits: TenantLimits) => TenantBounds | undefined {
  const loads = new Map<string, TenantLoad>();
  return (tenant, limits) => {
    if (Object.keys(limits).length === 0) return undefined;
    let load = loads.get(tenant);
    if (load === undefined) {
      load = { calls: 0, memory: undefined };
      loads.set(tenant, load);
    }
    return { limits, rate: rateOf(tenant, limits), load };
  };
}

function rateOf(tenant: string, { callsPerSecond }: TenantLimits): CountedLimit | undefined {
  if (callsPerSecond === undefined) return undefined;
  return { tenant, rule: CALLS_PER_SECOND_RULE, key: 'callsPerSecond', requests: callsPerSecond, perSeconds: 1 };
}

/** One more call of the tenant is in progress, until `leavePlace`. Once for a call, however often it is judged. */
export function takePlace(event: WideEvent, { limits, load }: TenantBounds): void {
  if (event.place !== undefined) return;
  if (load.calls >= (limits.concurrentCalls ?? Number.POSITIVE_INFINITY)) {
    throw new Rejection('overloaded', 'The tenant has as many calls in progress as it may.', {
      details: { retryAfterSeconds: 1 },
    });
  }
  load.calls += 1;
  event.place = load;
}

export function leavePlace(event: WideEvent): void {
  if (event.place === undefined) return;
  event.place.calls -= 1;
  event.place = undefined;
}

/** What the bodies of a tenant's calls take their memory from. What was taken must be given back to the same. */
export function bodyMemoryOf(shared: BodyMemory, { bounds }: Pick<CompiledTenant, 'bounds'>): BodyMemory {
  const bytesMax = bounds?.limits.bodyMemoryBytes;
  if (bounds === undefined || bytesMax === undefined) return shared;
  const { load } = bounds;
  load.memory ??= new BodyMemory(bytesMax, shared);
  load.memory.bytesMax = bytesMax;
  return load.memory;
}
