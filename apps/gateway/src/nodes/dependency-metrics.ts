import type { GatewayMetrics } from '@postern/gateway';
import type { SharedRedis } from '../open-redis.ts';
import type { NodePresence } from './node-presence.ts';

export interface MeasuredDependencies {
  readonly isDatabaseUp: () => boolean;
  readonly redis: Pick<SharedRedis, 'state' | 'counts'> | undefined;
  readonly presence: Pick<NodePresence, 'clockAheadMs'> | undefined;
}

/** What the gateway leans on, and how often it had to do without. */
export function measureDependencies(
  metrics: Pick<GatewayMetrics, 'register'>,
  { isDatabaseUp, redis, presence }: MeasuredDependencies,
): void {
  metrics.register({
    name: 'postern_dependency_up',
    help: 'Whether what the gateway leans on answers',
    type: 'gauge',
    labels: ['dependency'],
    readAll: () => [
      [{ dependency: 'database' }, isDatabaseUp() ? 1 : 0],
      ...(redis === undefined ? [] : [[{ dependency: 'redis' }, redis.state() === 'ok' ? 1 : 0] as const]),
    ],
  });
  if (presence !== undefined) {
    metrics.register({
      name: 'postern_clock_ahead_seconds',
      help: 'How far this machine’s clock is ahead of the database’s, by which all nodes go',
      type: 'gauge',
      read: () => presence.clockAheadMs() / 1_000,
    });
  }
  if (redis === undefined) return;
  metrics.register({
    name: 'postern_redis_failed_commands_total',
    help: 'Commands that Redis did not answer',
    type: 'counter',
    read: () => redis.counts().failedCommands,
  });
  metrics.register({
    name: 'postern_rate_limit_fallbacks_total',
    help: 'Calls whose rate limits this node judged alone, for Redis was away',
    type: 'counter',
    read: () => redis.counts().fellBack,
  });
}
