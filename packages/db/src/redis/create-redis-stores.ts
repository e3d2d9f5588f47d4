import { createMemoryKeys } from '../memory/memory-keys.ts';
import type { VolatileStores } from '../ports/volatile/volatile-stores.ts';
import { createStores } from '../volatile/create-stores.ts';
import { createDpopReplay, rememberHere } from '../volatile/dpop-replay.ts';
import type { OnListenerError } from '../volatile/subscribers.ts';
import { createRedisInvalidationBus } from './invalidation-bus.ts';
import { createRedisRateLimits } from './rate-limits.ts';
import type { RedisConnection } from './redis-connection.ts';
import { createRedisKeys } from './redis-keys.ts';

export interface RedisStoresOptions {
  /** What keys begin with. Default: the connection's. */
  readonly prefix?: string;
  /** Counters of one tenant's limits, and proofs of one tenant that this node remembers. Default 10,000. */
  readonly keysPerTenantMax?: number;
  /** Whose time counts for rate limits; see `createRedisRateLimits`. Default `server`. */
  readonly rateLimitClock?: 'server' | 'caller';
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** From 0 up to 1. */
  readonly random?: () => number;
  readonly onListenerError?: OnListenerError;
}

const KEYS_PER_TENANT_MAX = 10_000;

/**
 * The volatile stores that nodes share. The caller owns the connection. `rateLimits` fails with Redis: wrap it in
 * `createFallbackRateLimits`.
 */
export function createRedisStores(redis: RedisConnection, options: RedisStoresOptions = {}): VolatileStores {
  const { prefix = redis.prefix, keysPerTenantMax = KEYS_PER_TENANT_MAX, rateLimitClock = 'server' } = options;
  const { now = Date.now, random = Math.random, onListenerError } = options;
  const keys = createRedisKeys(redis);
  const stores = createStores({
    prefix,
    keysOf: () => keys,
    rateLimits: createRedisRateLimits(redis, { prefix, countersMax: keysPerTenantMax, clock: rateLimitClock }),
    invalidations: createRedisInvalidationBus(redis, { prefix, onListenerError }),
    now,
    random,
  });
  return {
    ...stores,
    dpopReplay: rememberHere(createDpopReplay(proofsSeenHere(keysPerTenantMax), prefix), stores.dpopReplay),
  };
}

/** Room is made by forgetting the oldest: what this node no longer knows, Redis does. */
function proofsSeenHere(keysPerTenantMax: number) {
  return createMemoryKeys({
    tenantOf: (key) => key.slice(0, key.lastIndexOf(':')),
    keysPerTenantMax,
    mayEvict: true,
    monotonicMs: () => performance.now(),
  });
}
