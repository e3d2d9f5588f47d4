import type { EventRelayPort } from '../ports/volatile/event-relay.ts';
import { checkRelayed, createRelayListeners } from '../volatile/relay-listeners.ts';
import type { RedisConnection, Subscription } from './redis-connection.ts';

/** The relay over channel `{prefix}:events`; one subscription carries all listeners of this node. */
export function createRedisEventRelay(redis: RedisConnection): EventRelayPort {
  const channel = `${redis.prefix}:events`;
  const listeners = createRelayListeners();
  let subscription: Subscription | undefined;

  return {
    async publish(message) {
      checkRelayed(message);
      await redis.command('PUBLISH', channel, message);
    },
    listen(listener) {
      const end = listeners.add(listener);
      subscription ??= redis.subscribe(channel, { onMessage: listeners.tell, onGap: listeners.tellGap });
      return () => {
        end();
        if (listeners.size() > 0) return;
        subscription?.end();
        subscription = undefined;
      };
    },
  };
}
