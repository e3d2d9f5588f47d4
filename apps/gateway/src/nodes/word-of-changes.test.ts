import { createEventHub, type LiveEvent } from '@postern/admin/live-events';
import { createMemoryEventRelay, createMemoryStores } from '@postern/db';
import type { EventRelayListener, EventRelayPort } from '@postern/db/ports';
import { describe, expect, test } from 'vitest';
import { createWordOfChanges, type NodeWires } from './word-of-changes.ts';

/** A relay in whose listeners the test can make gaps. */
function openRelay() {
  const listeners: EventRelayListener[] = [];
  const memory = createMemoryEventRelay();
  const relay: EventRelayPort = {
    ...memory,
    listen(listener) {
      listeners.push(listener);
      return memory.listen(listener);
    },
  };
  return { relay, listeners };
}

function openNode(boot: string, wires: NodeWires | undefined) {
  const seen = { dropped: [] as string[], foreign: [] as string[], approvals: [] as string[], faults: [] as string[] };
  const events: string[] = [];
  const hub = createEventHub();
  const reset = () => events.push('reset');
  hub.watch('acme', undefined, { deliver: ({ type }) => events.push(type), reset, end: () => undefined });
  const word = createWordOfChanges({
    wires,
    boot,
    hub,
    dropHeld: (tenant) => seen.dropped.push(tenant),
    onForeignChange: (tenant) => seen.foreign.push(tenant),
    onApproval: (id) => seen.approvals.push(id),
    onError: (_error, doing) => seen.faults.push(doing),
  });
  word.start();
  return { word, events, ...seen };
}

function openTwo() {
  const { relay, listeners } = openRelay();
  const wires = { invalidations: createMemoryStores().invalidations, events: relay };
  return { one: openNode('boot-1', wires), other: openNode('boot-2', wires), wires, listeners };
}

const eventOf = (type: string, data: LiveEvent['data'] = {}): LiveEvent => ({ tenant: 'acme', type, at: 7, data });

describe('word of a change', () => {
  test('drops what this node holds at once, and what the others hold', () => {
    const { one, other } = openTwo();
    one.word.configurationChanged('acme');
    expect(one.dropped[0]).toBe('acme');
    expect(other.dropped).toEqual(['acme']);
    expect(other.foreign).toEqual(['acme']);
  });

  test('of a template reaches the others, and is known to when there are none', async () => {
    const { one, other } = openTwo();
    await one.word.templateChanged({ tenant: 'acme', name: 'github' });
    expect(other.dropped).toEqual(['acme']);
    await expect(
      openNode('boot-1', undefined).word.templateChanged({ tenant: 'acme', name: 'x' }),
    ).resolves.toBeUndefined();
  });

  test('of an event reaches those who watch at each node, once', () => {
    const { one, other } = openTwo();
    one.word.events.publish(eventOf('approval.decided', { approvalId: 'apr-1' }));
    expect(one.events).toEqual(['approval.decided']);
    expect(other.events).toEqual(['approval.decided']);
    expect(other.approvals).toEqual(['apr-1']);
    expect(one.approvals).toEqual([]);
  });

  test('stops with the node', () => {
    const { one, other } = openTwo();
    other.word.stop();
    one.word.configurationChanged('acme');
    one.word.events.publish(eventOf('claim.resolved'));
    expect([other.dropped, other.events]).toEqual([[], []]);
  });

  test('that may have been missed empties what is held, and tells those who watch', () => {
    const { other, listeners } = openTwo();
    for (const { onGap } of listeners) onGap();
    expect(other.events).toEqual(['reset']);
  });

  test.each([
    'nonsense',
    '{}',
    '[]',
    '{"from":"x","event":{}}',
    '{"from":"x","event":{"tenant":"acme","type":"a\\nb","at":1,"data":{}}}',
    '{"from":"x","event":{"tenant":"acme","type":"a.b","at":"1","data":{}}}',
    '{"from":"x","event":{"tenant":"acme","type":"a.b","at":1,"data":null}}',
    '{"from":"x","event":{"tenant":7,"type":"a.b","at":1,"data":{}}}',
  ])('that is no event is told of and passed over: %s', async (message) => {
    const { one, wires } = openTwo();
    await wires.events.publish(message);
    expect(one.events).toEqual([]);
    expect(one.faults).toEqual(['hear what another node tells']);
  });

  test('that cannot be given is in force here all the same, and told of once', async () => {
    const { wires } = openTwo();
    const publish = () => Promise.reject(new Error('Redis is away'));
    const broken = { invalidations: { ...wires.invalidations, publish }, events: { ...wires.events, publish } };
    const node = openNode('boot-3', broken);
    node.word.configurationChanged('acme');
    node.word.events.publish(eventOf('claim.resolved'));
    node.word.configurationChanged('beta');
    await new Promise((resolve) => setImmediate(resolve));
    expect(node.dropped).toEqual(['acme', 'beta']);
    expect(node.events).toEqual(['claim.resolved']);
    expect(node.faults).toEqual(['tell other nodes']);
  });

  test('stays here where there are no other nodes', () => {
    const node = openNode('boot-1', undefined);
    node.word.configurationChanged('acme');
    node.word.events.publish(eventOf('claim.resolved'));
    expect([node.dropped, node.events, node.foreign]).toEqual([['acme'], ['claim.resolved'], []]);
    node.word.stop();
  });
});
