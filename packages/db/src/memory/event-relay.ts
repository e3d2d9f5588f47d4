import type { EventRelayPort } from '../ports/volatile/event-relay.ts';
import { checkRelayed, createRelayListeners } from '../volatile/relay-listeners.ts';

/** The relay of one process: listeners are called before `publish` returns. */
export function createMemoryEventRelay(): EventRelayPort {
  const listeners = createRelayListeners();
  return {
    async publish(message) {
      checkRelayed(message);
      listeners.tell(message);
    },
    listen: listeners.add,
  };
}
