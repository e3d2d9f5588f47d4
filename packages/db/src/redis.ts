/** Redis; apart from the index, so that a node without it loads nothing of it. */
export { connectRedis, type RedisOptions } from './redis/connect-redis.ts';
export { createRedisStores, type RedisStoresOptions } from './redis/create-redis-stores.ts';
export { createRedisEventRelay } from './redis/event-relay.ts';
export {
  createFallbackRateLimits,
  type FallbackRateLimits,
  type FallbackRateLimitsOptions,
} from './redis/fallback-rate-limits.ts';
export type { RedisConnection, RedisState } from './redis/redis-connection.ts';
