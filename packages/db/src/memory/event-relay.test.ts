import { describe } from 'vitest';
import { describeEventRelayPort } from '../conformance/volatile/event-relay.ts';
import { createMemoryEventRelay } from './event-relay.ts';

describe('in memory', () => {
  describeEventRelayPort(async () => {
    const relay = createMemoryEventRelay();
    return { relay, other: relay, close: async () => undefined };
  });
});
