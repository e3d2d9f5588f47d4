import { describe, expect, test } from 'vitest';
import { createEventHub, type EventHub, type NumberedEvent } from './event-hub.ts';

const publish = (hub: EventHub, count: number, tenant = 'acme') => {
  for (let number = 1; number <= count; number += 1) {
    hub.publish({ tenant, type: 'approval.created', at: number, data: { number } });
  }
};
const numbersOf = (events: readonly NumberedEvent[]) => events.map(({ data }) => data['number']);

function watch(hub: EventHub, tenant = 'acme', lastEventId?: string) {
  const seen: NumberedEvent[] = [];
  let ended = 0;
  const begun = hub.watch(tenant, lastEventId, {
    deliver: (event) => seen.push(event),
    end: () => {
      ended += 1;
    },
  });
  if (begun === undefined) throw new Error('the hub takes no watcher');
  return { ...begun, seen, ended: () => ended };
}

describe('who watches', () => {
  test('is told what happens in the tenant from then on, and nothing of another', () => {
    const hub = createEventHub();
    publish(hub, 1);
    const ours = watch(hub);
    const theirs = watch(hub, 'other');
    publish(hub, 2);
    expect(numbersOf(ours.seen)).toEqual([1, 2]);
    expect(ours).toMatchObject({ missed: [], isReset: false });
    expect(theirs.seen).toEqual([]);
    ours.stop();
    ours.stop();
    publish(hub, 1);
    expect(ours.seen).toHaveLength(2);
  });

  test('goes on after the event that was seen last', () => {
    const hub = createEventHub();
    const first = watch(hub);
    publish(hub, 5);
    const after = (index: number) => watch(hub, 'acme', first.seen[index]?.id);
    expect(numbersOf(after(1).missed)).toEqual([3, 4, 5]);
    expect(after(4)).toMatchObject({ missed: [], isReset: false });
  });

  test('is told to read anew when what happened since is not remembered', () => {
    const hub = createEventHub({ rememberedMax: 3 });
    const first = watch(hub);
    publish(hub, 5);
    const ids = first.seen.map(({ id }) => id);
    expect(watch(hub, 'acme', ids[0])).toMatchObject({ isReset: true, missed: [] });
    expect(numbersOf(watch(hub, 'acme', ids[1]).missed)).toEqual([3, 4, 5]);
    const [epoch] = (ids[4] ?? '').split('-');
    for (const id of ['', 'x', '7', `${epoch}-6`, `${epoch}-`, `${epoch}--1`, `${epoch}-1e1`, 'ffff-3']) {
      expect(watch(hub, 'acme', id), id).toMatchObject({ isReset: true, missed: [] });
    }
    expect(watch(hub, 'other', ids[4]).isReset).toBe(true);
    expect(watch(createEventHub(), 'acme', ids[4]).isReset).toBe(true);
  });

  test('is one of a bounded number, and of one tenant of half of it', () => {
    const hub = createEventHub({ watchersMax: 4 });
    const nobody = { deliver: () => undefined, end: () => undefined };
    const begun = [watch(hub), watch(hub)];
    expect(hub.watch('acme', undefined, nobody)).toBeUndefined();
    watch(hub, 'other');
    watch(hub, 'third');
    expect(hub.watch('fourth', undefined, nobody)).toBeUndefined();
    begun[0]?.stop();
    begun[0]?.stop();
    watch(hub);
    expect(hub.watch('fourth', undefined, nobody)).toBeUndefined();
  });

  test('is told when the hub closes, and none begins after', () => {
    const hub = createEventHub();
    const [one, other] = [watch(hub), watch(hub, 'other')];
    one.stop();
    hub.close();
    expect([one.ended(), other.ended()]).toEqual([0, 1]);
    expect(hub.watch('acme', undefined, { deliver: () => undefined, end: () => undefined })).toBeUndefined();
  });

  test('may stop while an event is being told', () => {
    const hub = createEventHub();
    const seen: string[] = [];
    const begun = hub.watch('acme', undefined, {
      deliver: ({ id }) => {
        seen.push(id);
        begun?.stop();
      },
      end: () => undefined,
    });
    const other = watch(hub);
    publish(hub, 2);
    expect(seen).toHaveLength(1);
    expect(other.seen).toHaveLength(2);
  });
});

test('who watches is told when events of other nodes may have been missed, and goes on from nothing', () => {
  const hub = createEventHub();
  const resets: string[] = [];
  const watcher = { deliver: () => undefined, reset: () => void resets.push('reset'), end: () => undefined };
  const begun = hub.watch('acme', undefined, watcher);
  const seen = watch(hub);
  publish(hub, 1);
  hub.forget();
  expect(resets).toHaveLength(1);
  publish(hub, 1);
  expect(seen.seen).toHaveLength(2);
  expect(watch(hub, 'acme', seen.seen[0]?.id)).toMatchObject({ isReset: true, missed: [] });
  begun?.stop();
  hub.forget();
  expect(resets).toHaveLength(1);
});

test('of many tenants the one that was quiet for longest is forgotten, and said to be', () => {
  const hub = createEventHub({ tenantsMax: 2 });
  const one = watch(hub, 'one');
  const two = watch(hub, 'two');
  publish(hub, 1, 'one');
  publish(hub, 1, 'two');
  publish(hub, 1, 'one');
  publish(hub, 1, 'three');
  expect(watch(hub, 'one', one.seen[0]?.id).missed).toHaveLength(1);
  expect(watch(hub, 'two', two.seen[0]?.id).isReset).toBe(true);
  publish(hub, 1, 'two');
  expect(two.seen).toHaveLength(2);
  expect(two.seen[1]?.id).not.toBe(two.seen[0]?.id);
});
