import type { InvalidationBusPort } from '../ports/volatile/invalidation-bus.ts';
import {
  checkInvalidation,
  createSubscribers,
  type OnListenerError,
  parseInvalidation,
} from '../volatile/subscribers.ts';
import type { RedisConnection, Subscription } from './redis-connection.ts';

/** The bus over channel `{prefix}:invalidation`; one subscription carries all listeners of this node. */
export function createRedisInvalidationBus(
  redis: RedisConnection,
  { prefix, onListenerError }: { readonly prefix: string; readonly onListenerError?: OnListenerError | undefined },
): InvalidationBusPort {
  const channel = `${prefix}:invalidation`;
  const subscribers = createSubscribers(onListenerError);
  let subscription: Subscription | undefined;

  function onMessage(message: string): void {
    const invalidation = parseInvalidation(message);
    // What cannot be read may have meant anything.
    if (invalidation === undefined) subscribers.tellLost();
    else subscribers.tell(invalidation);
  }

  return {
    async publish(invalidation) {
      checkInvalidation(invalidation);
      await redis.command('PUBLISH', channel, JSON.stringify(invalidation));
    },
    subscribe(topics, listener) {
      const end = subscribers.add(topics, listener);
      subscription ??= redis.subscribe(channel, { onMessage, onGap: subscribers.tellLost });
      return () => {
        end();
        if (subscribers.size() > 0) return;
        subscription?.end();
        subscription = undefined;
      };
    },
    isLive: () => subscription?.isLive() ?? false,
  };
}
