import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewNode } from '../ports/nodes.ts';
import { createBackgroundLeases } from '../repositories/background-leases.ts';
import { createInstanceMarks } from '../repositories/instance-marks.ts';
import { createNodes } from '../repositories/nodes.ts';
import type { DbHarness, MakeDbHarness } from './harness.ts';

const LONG_MS = 3_600_000;
/** Runs out as it begins: so that no test waits for a lease. */
const NO_MS = 0;
const range = (length: number) => Array.from({ length }, (_, index) => index);

/** Times are the store's own here, and no test moves them. */
export function describeNodePorts(makeHarness: MakeDbHarness): void {
  describe('several nodes on one store', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    describe('background leases', () => {
      const one = { node: 'node-1', boot: 'boot-1' };
      const other = { node: 'node-2', boot: 'boot-2' };
      const portsOfTwo = async () => {
        const leases = createBackgroundLeases(harness.client);
        return [leases, createBackgroundLeases(await harness.connectAgain())] as const;
      };

      test('are one holder’s until they run out', async () => {
        const [leases, otherLeases] = await portsOfTwo();
        expect(await leases.hold('sweeps', one, LONG_MS)).toBe(true);
        expect(await otherLeases.hold('sweeps', other, LONG_MS)).toBe(false);
        expect(await otherLeases.hold('else', other, LONG_MS)).toBe(true);
        expect(await leases.hold('sweeps', one, NO_MS)).toBe(true);
        expect(await otherLeases.hold('sweeps', other, LONG_MS)).toBe(true);
        expect(await leases.hold('sweeps', one, LONG_MS)).toBe(false);
      });

      test('are not an earlier boot’s any more, once it has another', async () => {
        const leases = createBackgroundLeases(harness.client);
        expect(await leases.hold('sweeps', one, LONG_MS)).toBe(true);
        expect(await leases.hold('sweeps', { ...one, boot: 'boot-3' }, LONG_MS)).toBe(false);
      });

      test('that ran out and that nobody took are still the holder’s', async () => {
        const leases = createBackgroundLeases(harness.client);
        expect(await leases.hold('sweeps', one, NO_MS)).toBe(true);
        expect(await leases.hold('sweeps', one, LONG_MS)).toBe(true);
      });

      test('are given up by their holder alone', async () => {
        const [leases, otherLeases] = await portsOfTwo();
        expect(await leases.hold('sweeps', one, LONG_MS)).toBe(true);
        await otherLeases.release('sweeps', other);
        await leases.release('sweeps', { ...one, boot: 'boot-3' });
        expect(await otherLeases.hold('sweeps', other, LONG_MS)).toBe(false);
        await leases.release('sweeps', one);
        expect(await otherLeases.hold('sweeps', other, LONG_MS)).toBe(true);
      });

      test('have one holder of many that ask at once', async () => {
        const ports = await portsOfTwo();
        const asked = range(16).map((place) =>
          ports[place % 2]?.hold('sweeps', { node: `node-${place}`, boot: `boot-${place}` }, LONG_MS),
        );
        expect((await Promise.all(asked)).filter((held) => held === true)).toHaveLength(1);
      });

      test('have a name, an owner and a length', async () => {
        const leases = createBackgroundLeases(harness.client);
        const refused = [
          leases.hold('', one, LONG_MS),
          leases.hold('x', { ...one, node: '' }, LONG_MS),
          leases.hold('x', { ...one, boot: '' }, LONG_MS),
          leases.hold('x', one, -1),
          leases.hold('x', one, 0.5),
        ];
        for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'invalid' });
      });
    });

    describe('the list of nodes', () => {
      const nodeOf = (change: Partial<NewNode> = {}): NewNode => ({
        node: 'node-1',
        boot: 'boot-1',
        version: '0.1.0',
        keyIds: ['k2', 'k1'],
        hasRedis: true,
        ...change,
      });
      const lasting = { leaseMs: LONG_MS, clockAheadMs: 0, formerBoot: undefined };

      test('has who joined, with what it told', async () => {
        const nodes = createNodes(harness.client);
        const joined = await nodes.join(nodeOf(), { ...lasting, clockAheadMs: -7 });
        await nodes.join(nodeOf({ node: 'node-0', boot: 'boot-0', hasRedis: false }), lasting);
        const { now, nodes: known } = await nodes.list();
        expect(known.map(({ node }) => node)).toEqual(['node-0', 'node-1']);
        expect(joined).toEqual({ kind: 'joined', now: known[1]?.startedAt });
        expect(known[0]?.hasRedis).toBe(false);
        expect(known[1]).toMatchObject({ ...nodeOf(), clockAheadMs: -7 });
        expect(known[1]?.seenAt).toBe(known[1]?.startedAt);
        expect(known[1]?.aliveUntil).toBe((known[1]?.seenAt ?? 0) + LONG_MS);
        expect(now).toBeGreaterThanOrEqual(known[1]?.seenAt ?? Number.POSITIVE_INFINITY);
        expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
      });

      test('is empty at first, and tells the time all the same', async () => {
        const { now, nodes } = await createNodes(harness.client).list();
        expect(nodes).toEqual([]);
        expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
      });

      test('refuses a name under which another boot lives', async () => {
        const nodes = createNodes(await harness.connectAgain());
        await createNodes(harness.client).join(nodeOf(), lasting);
        const refused = await nodes.join(nodeOf({ boot: 'boot-2' }), { ...lasting, formerBoot: 'boot-0' });
        expect(refused).toMatchObject({ kind: 'taken', by: { node: 'node-1', boot: 'boot-1' } });
      });

      test.each([
        ['its last boot is known to be over', LONG_MS, 'boot-1'],
        ['its time ran out', NO_MS, undefined],
      ])('gives the name away when %s', async (_why, leaseMs, formerBoot) => {
        const nodes = createNodes(harness.client);
        await nodes.join(nodeOf(), { ...lasting, leaseMs });
        const next = await nodes.join(nodeOf({ boot: 'boot-2', version: '0.2.0' }), { ...lasting, formerBoot });
        expect(next.kind).toBe('joined');
        expect((await nodes.list()).nodes).toMatchObject([{ boot: 'boot-2', version: '0.2.0' }]);
        expect(await nodes.beat({ node: 'node-1', boot: 'boot-1' }, lasting)).toBeUndefined();
      });

      test('has one of many that join under one name at once', async () => {
        const ports = [createNodes(harness.client), createNodes(await harness.connectAgain())];
        const joining = range(12).map((place) => ports[place % 2]?.join(nodeOf({ boot: `boot-${place}` }), lasting));
        const joined = (await Promise.all(joining)).filter((answer) => answer?.kind === 'joined');
        expect(joined).toHaveLength(1);
      });

      test('is kept up to date by signs of life', async () => {
        const nodes = createNodes(harness.client);
        await nodes.join(nodeOf(), { ...lasting, leaseMs: NO_MS });
        const seenAt = await nodes.beat(nodeOf(), { leaseMs: 5_000, clockAheadMs: 12 });
        const [known] = (await nodes.list()).nodes;
        expect(known).toMatchObject({ seenAt, aliveUntil: (seenAt ?? 0) + 5_000, clockAheadMs: 12 });
        expect(known?.startedAt).toBeLessThanOrEqual(seenAt ?? 0);
      });

      test('loses who leaves, but not another boot of that name', async () => {
        const nodes = createNodes(harness.client);
        await nodes.join(nodeOf(), lasting);
        await nodes.leave({ node: 'node-1', boot: 'boot-2' });
        expect((await nodes.list()).nodes).toHaveLength(1);
        await nodes.leave(nodeOf());
        expect((await nodes.list()).nodes).toEqual([]);
      });

      test('is swept of those that are over', async () => {
        const nodes = createNodes(harness.client);
        await nodes.join(nodeOf({ node: 'living' }), lasting);
        await nodes.join(nodeOf({ node: 'over' }), { ...lasting, leaseMs: NO_MS });
        expect(await nodes.sweep(LONG_MS)).toBe(0);
        await harness.client.writes('*').updateTable('nodes').set({ seen_at: 1 }).execute();
        expect(await nodes.sweep(LONG_MS)).toBe(1);
        expect((await nodes.list()).nodes).toMatchObject([{ node: 'living' }]);
      });

      test.each<[string, Partial<NewNode>]>([
        ['no name', { node: '' }],
        ['no boot', { boot: '' }],
        ['a key without id', { keyIds: ['k1', ''] }],
      ])('refuses a node with %s', async (_what, change) => {
        const refused = createNodes(harness.client).join(nodeOf(change), lasting);
        await expect(refused).rejects.toMatchObject({ code: 'invalid' });
      });
    });

    describe('marks of the instance', () => {
      test('stay what the first made them', async () => {
        const marks = createInstanceMarks(harness.client);
        expect(await marks.find('key')).toBeUndefined();
        expect(await marks.keep('key', 'one')).toBe('one');
        expect(await marks.keep('key', 'two')).toBe('one');
        expect(await marks.find('key')).toBe('one');
        expect(await marks.find('else')).toBeUndefined();
      });

      test('are the same for all that begin at once', async () => {
        const ports = [createInstanceMarks(harness.client), createInstanceMarks(await harness.connectAgain())];
        const kept = await Promise.all(range(12).map((place) => ports[place % 2]?.keep('key', `value-${place}`)));
        expect(new Set(kept).size).toBe(1);
      });

      test('are changed by who knows what they are', async () => {
        const marks = createInstanceMarks(harness.client);
        expect(await marks.replace('key', 'one', 'two')).toBe(false);
        await marks.keep('key', 'one');
        expect(await marks.replace('key', 'zero', 'two')).toBe(false);
        expect(await marks.replace('key', 'one', 'two')).toBe(true);
        expect(await marks.find('key')).toBe('two');
      });

      test('have a name and a value', async () => {
        const marks = createInstanceMarks(harness.client);
        for (const refused of [marks.keep('', 'x'), marks.keep('x', ''), marks.replace('x', 'y', '')])
          await expect(refused).rejects.toMatchObject({ code: 'invalid' });
      });
    });
  });
}
