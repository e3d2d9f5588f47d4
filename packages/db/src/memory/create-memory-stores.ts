import type { VolatileStores } from '../ports/volatile/volatile-stores.ts';
import { createStores } from '../volatile/create-stores.ts';
import type { OnListenerError } from '../volatile/subscribers.ts';
import { createMemoryInvalidationBus } from './invalidation-bus.ts';
import { createMemoryKeys } from './memory-keys.ts';
import { createMemoryRateLimits } from './rate-limits.ts';

export interface MemoryStoresOptions {
  /** Keys of one tenant in one store, and counters of its limits. Default 10,000. */
  readonly keysPerTenantMax?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Milliseconds that only go forward. */
  readonly monotonicMs?: () => number;
  /** From 0 up to 1. */
  readonly random?: () => number;
  readonly onListenerError?: OnListenerError;
}

const KEYS_PER_TENANT_MAX = 10_000;
const PREFIX = 'postern';

/** The volatile stores of one node. Each tenant has its own room in each; nothing outlives the process. */
export function createMemoryStores(options: MemoryStoresOptions = {}): VolatileStores {
  const { keysPerTenantMax = KEYS_PER_TENANT_MAX, now = Date.now, random = Math.random } = options;
  const { monotonicMs = () => performance.now(), onListenerError } = options;
  return createStores({
    prefix: PREFIX,
    keysOf: ({ mayEvict }) => createMemoryKeys({ tenantOf, keysPerTenantMax, mayEvict, monotonicMs }),
    rateLimits: createMemoryRateLimits({ countersMax: keysPerTenantMax }),
    invalidations: createMemoryInvalidationBus(onListenerError),
    now,
    random,
  });
}

/** A key begins with prefix, area and tenant. */
function tenantOf(key: string): string {
  return key.split(':', 3)[2] ?? '';
}
