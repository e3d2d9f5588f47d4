import type { InvalidationBusPort } from '../ports/volatile/invalidation-bus.ts';
import { checkInvalidation, createSubscribers, type OnListenerError } from '../volatile/subscribers.ts';

/** The bus of one process: listeners are called before `publish` returns. */
export function createMemoryInvalidationBus(onListenerError?: OnListenerError): InvalidationBusPort {
  const subscribers = createSubscribers(onListenerError);
  return {
    async publish(invalidation) {
      checkInvalidation(invalidation);
      subscribers.tell(invalidation);
    },
    subscribe: subscribers.add,
    isLive: () => subscribers.size() > 0,
  };
}
