import { describe, expect, test } from 'vitest';
import type { Invalidation, InvalidationBusPort, InvalidationListener } from '../../ports/volatile/invalidation-bus.ts';
import { expectInvalid, type MakeVolatileStores } from './harness.ts';

/** Hears and counts; `heard(n)` resolves with the first n of them. */
export function recordingListener() {
  const invalidations: Invalidation[] = [];
  const waiting = new Set<() => void>();
  const record = { invalidations, lost: 0 };
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  const listener: InvalidationListener = {
    onInvalidation(invalidation) {
      invalidations.push(invalidation);
      wake();
    },
    onLost() {
      record.lost += 1;
      wake();
    },
  };
  const until = (isThere: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!isThere()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return { ...record, record, listener, until, heard: (count: number) => until(() => invalidations.length >= count) };
}

/** The bus says nothing of when it is live but by `onLost`, which comes with it. */
export async function untilLive(bus: InvalidationBusPort): Promise<void> {
  if (bus.isLive()) return;
  const { listener, until } = recordingListener();
  const unsubscribe = bus.subscribe(['policy'], listener);
  await until(() => bus.isLive());
  unsubscribe();
}

export function describeInvalidationBus(make: MakeVolatileStores): void {
  describe('invalidation bus', () => {
    const makeBus = async () => {
      const { stores, otherNode } = await make();
      const { listener, ...heard } = recordingListener();
      const unsubscribe = stores.invalidations.subscribe(['policy', 'templates'], listener);
      await untilLive(stores.invalidations);
      return { bus: stores.invalidations, other: otherNode.invalidations, unsubscribe, ...heard };
    };

    test('subscribers hear of their topics in order, also from their own node', async () => {
      const { bus, other, heard, invalidations, unsubscribe } = await makeBus();
      await other.publish({ topic: 'policy', tenant: 't' });
      await heard(1);
      await other.publish({ topic: 'secrets', tenant: 't' });
      for (let at = 0; at < 5; at += 1) await bus.publish({ topic: 'templates', tenant: 't', subject: `${at}` });
      await heard(6);
      expect(invalidations).toEqual([
        { topic: 'policy', tenant: 't' },
        ...[0, 1, 2, 3, 4].map((at) => ({ topic: 'templates', tenant: 't', subject: `${at}` })),
      ]);
      unsubscribe();
    });

    test('no listener is called once it has unsubscribed, not even while others are being told', async () => {
      const { bus, other, invalidations, unsubscribe, heard } = await makeBus();
      const second = recordingListener();
      const unsubscribeFirst = bus.subscribe(['policy'], {
        onInvalidation: () => unsubscribeSecond(),
        onLost: () => undefined,
      });
      const unsubscribeSecond = bus.subscribe(['policy'], second.listener);
      await other.publish({ topic: 'policy', tenant: 't' });
      await heard(1);
      unsubscribeFirst();
      unsubscribe();
      unsubscribe();
      expect(bus.isLive()).toBe(false);
      await other.publish({ topic: 'policy', tenant: 't' });
      const { listener, heard: heardLater } = recordingListener();
      const unsubscribeLast = bus.subscribe(['policy'], listener);
      await untilLive(bus);
      await other.publish({ topic: 'policy', tenant: 'u' });
      await heardLater(1);
      unsubscribeLast();
      expect(invalidations.length).toBe(1);
      expect(second.invalidations).toEqual([]);
    });

    test('a listener that throws does not silence the others', async () => {
      const { bus, other, heard, invalidations, unsubscribe } = await makeBus();
      const end = bus.subscribe(['policy'], {
        onInvalidation: () => {
          throw new Error('broken');
        },
        onLost: () => undefined,
      });
      await other.publish({ topic: 'policy', tenant: 't' });
      await other.publish({ topic: 'policy', tenant: 'u' });
      await heard(2);
      expect(invalidations.length).toBe(2);
      end();
      unsubscribe();
    });

    test('what is no invalidation is refused by name', async () => {
      const { invalidations: bus } = (await make()).stores;
      await expectInvalid(
        () => bus.publish({ topic: 'weather' as 'policy', tenant: 't' }),
        'topic must be one of policy',
      );
      await expectInvalid(() => bus.publish({ topic: 'policy', tenant: '' }), 'tenant must be a text');
      await expectInvalid(
        () => bus.publish({ topic: 'policy', tenant: 't', subject: 'x'.repeat(513) }),
        'subject must be a text of 1 to 512',
      );
      await bus.publish({ topic: 'policy', tenant: 't', subject: 'x'.repeat(512) });
      expect(() => bus.subscribe(['weather' as 'policy'], recordingListener().listener)).toThrow(
        'topic must be one of policy',
      );
    });
  });
}
