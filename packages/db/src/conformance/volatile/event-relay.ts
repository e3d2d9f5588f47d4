import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type EventRelayPort, RELAYED_LENGTH_MAX } from '../../ports/volatile/event-relay.ts';

export interface EventRelayHarness {
  readonly relay: EventRelayPort;
  /** As another node has it; the same one where there is one process alone. */
  readonly other: EventRelayPort;
  close(): Promise<void>;
}

export function describeEventRelayPort(makeHarness: () => Promise<EventRelayHarness>): void {
  describe('the relay of events', () => {
    let harness: EventRelayHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    /** Listens, and is sure to hear: on Redis the subscription takes a moment. */
    async function listen(relay: EventRelayPort, publisher: EventRelayPort) {
      const heard: string[] = [];
      const end = relay.listen({ onMessage: (message) => heard.push(message), onGap: () => undefined });
      await vi.waitFor(async () => {
        await publisher.publish('is anybody there');
        expect(heard).not.toEqual([]);
      });
      return { heard, end };
    }
    const without = (heard: readonly string[]) => heard.filter((message) => message !== 'is anybody there');

    test('brings messages to all who listen, the publisher too, in order', async () => {
      const [here, there] = [await listen(harness.relay, harness.other), await listen(harness.other, harness.relay)];
      const sent = Array.from({ length: 50 }, (_, index) => `message ${index} ö\n`);
      for (const message of sent) await harness.relay.publish(message);
      for (const { heard } of [here, there]) await vi.waitFor(() => expect(without(heard)).toEqual(sent));
    });

    test('calls nobody who has ended', async () => {
      const [ended, going] = [await listen(harness.relay, harness.other), await listen(harness.relay, harness.other)];
      ended.end();
      ended.end();
      await harness.other.publish('last');
      await vi.waitFor(() => expect(going.heard).toContain('last'));
      expect(ended.heard).not.toContain('last');
    });

    test('takes long messages, and refuses longer and empty ones', async () => {
      const { heard } = await listen(harness.other, harness.relay);
      const longest = 'x'.repeat(RELAYED_LENGTH_MAX);
      await harness.relay.publish(longest);
      await vi.waitFor(() => expect(heard).toContain(longest));
      for (const message of ['', `${longest}x`])
        await expect(harness.relay.publish(message)).rejects.toMatchObject({ code: 'invalid' });
    });
  });
}
