import { createMemoryRateLimits } from '@postern/db';
import type { EventRelayPort, RateLimitsPort, VolatileStores } from '@postern/db/ports';
import { connectRedis, createFallbackRateLimits, createRedisEventRelay, createRedisStores } from '@postern/db/redis';
import type { Log } from './log.ts';

export interface SharedRedis {
  /** This node's memory stands in while Redis is away. */
  readonly rateLimits: RateLimitsPort;
  readonly invalidations: VolatileStores['invalidations'];
  readonly events: EventRelayPort;
  readonly state: () => 'ok' | 'degraded';
  readonly counts: () => {
    /** Commands that failed. */
    readonly failedCommands: number;
    /** Calls whose rate limits this node's memory judged. */
    readonly fellBack: number;
  };
  close(): Promise<void>;
}

export interface RedisParts {
  readonly url: string;
  /** What keys and channels begin with: of one installation, so that two may use one Redis. */
  readonly prefix: string;
  readonly log: Log;
}

/**
 * Connects to Redis, and keeps connecting. A Redis that is away, at the start as later, makes the node slower and its quotas its own; it never
 * keeps it from serving.
 */
export async function openRedis({ url, prefix, log }: RedisParts): Promise<SharedRedis> {
  const connection = await connectRedis({ url, prefix });
  const onListenerError = (error: unknown) => log.error(error, 'hear of a change');
  const stores = createRedisStores(connection, { onListenerError });
  const rateLimits = createFallbackRateLimits({
    redis: stores.rateLimits,
    memory: createMemoryRateLimits(),
    onDegraded: (reason) => log.logger.warn({ reason }, 'rate limits are this node’s own until Redis answers again'),
    onRestored: () => log.logger.info('rate limits are shared again'),
  });
  const tell = () => {
    if (connection.state() === 'ready') log.logger.info('Redis answers');
    else
      log.logger.warn({ reason: connection.lastFailure() }, 'Redis does not answer; nodes hear of changes by looking');
  };
  let isReady = connection.state() === 'ready';
  if (!isReady) tell();
  connection.onState((state) => {
    if (state === 'closed' || (state === 'ready') === isReady) return;
    isReady = state === 'ready';
    tell();
  });
  return {
    rateLimits,
    invalidations: stores.invalidations,
    events: createRedisEventRelay(connection),
    state: () => (connection.state() === 'ready' ? 'ok' : 'degraded'),
    counts: () => ({ failedCommands: connection.counts().failedCommands, fellBack: rateLimits.counts().fellBack }),
    close: () => connection.close(),
  };
}
