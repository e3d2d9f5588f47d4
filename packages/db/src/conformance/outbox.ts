import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewOutboxMessage, OutboxMessage } from '../ports/outbox.ts';
import { runInTransaction } from '../transaction.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const LEASE_MS = 30_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);

export function describeOutboxPort(makeHarness: MakeDbHarness): void {
  describe('the outbox', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    const outbox = () => harness.repositories.outbox;
    const now = () => harness.clock.nowMs;
    const messageOf = (change: Partial<NewOutboxMessage> = {}): NewOutboxMessage => ({
      tenant: 'acme',
      endpoint: 'hook-1',
      type: 'approval.created',
      body: '{"type":"approval.created"}',
      ...change,
    });
    const add = async (change: Partial<NewOutboxMessage> = {}): Promise<OutboxMessage> => {
      const [added] = await outbox().add([messageOf(change)], now());
      return added as OutboxMessage;
    };
    const take = (limit = 10, busyEndpoints: string[] = []) =>
      outbox().take(now(), { leaseMs: LEASE_MS, limit, busyEndpoints });
    const takeOne = async () => {
      const [taken] = await take(1);
      if (taken === undefined) throw new Error('nothing is due');
      return taken;
    };

    test('holds what was added, with an id that stays the same', async () => {
      const added = await add();
      expect(added).toEqual({
        ...messageOf(),
        id: expect.any(String),
        state: 'pending',
        attempts: 0,
        nextAttemptAt: now(),
        createdAt: now(),
      });
      expect(await outbox().getById('acme', added.id)).toEqual(added);
      expect(await outbox().getById('beta', added.id)).toBeUndefined();
      const taken = await takeOne();
      expect(taken).toMatchObject({ ...messageOf(), id: added.id, attempts: 1, leaseUntil: now() + LEASE_MS });
    });

    test('takes messages in the caller’s transaction alone', async () => {
      const failed = runInTransaction(harness.client, async (context) => {
        await outbox().add([messageOf(), messageOf({ endpoint: 'hook-2' })], now(), context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await take()).toEqual([]);
      await runInTransaction(harness.client, (context) => outbox().add([messageOf()], now(), context));
      expect(await take()).toHaveLength(1);
    });

    test('gives each message to one taker', async () => {
      await outbox().add(
        range(40).map(() => messageOf()),
        now(),
      );
      const taken = (await Promise.all(range(8).map(() => take(7)))).flat();
      expect(taken).toHaveLength(40);
      expect(new Set(taken.map(({ id }) => id)).size).toBe(40);
      expect(await take()).toEqual([]);
    });

    test('gives the oldest first, and what is not due not yet', async () => {
      const later = await add({ nextAttemptAt: now() + 10 });
      const [first, second] = [await add(), await add()];
      expect((await take(1)).map(({ id }) => id)).toEqual([first.id]);
      expect(await outbox().nextDueAt()).toBe(now());
      expect(await outbox().countPending()).toBe(3);
      expect((await take()).map(({ id }) => id)).toEqual([second.id]);
      expect(await outbox().nextDueAt()).toBe(now() + 10);
      harness.clock.nowMs += 9;
      expect(await take()).toEqual([]);
      harness.clock.nowMs += 1;
      expect((await take()).map(({ id }) => id)).toEqual([later.id]);
    });

    test('passes over endpoints that are busy', async () => {
      await outbox().add([messageOf(), messageOf({ tenant: 'beta' }), messageOf({ endpoint: 'hook-2' })], now());
      const taken = await take(10, ['acme hook-1', 'beta hook-9']);
      expect(taken.map(({ tenant, endpoint }) => `${tenant} ${endpoint}`)).toEqual(['beta hook-1', 'acme hook-2']);
      await outbox().add([messageOf({ endpoint: 'hook-3' }), messageOf({ tenant: 'beta' })], now());
      const others = await outbox().take(now(), { leaseMs: LEASE_MS, limit: 10, busyTenants: ['acme'] });
      expect(others.map(({ tenant }) => tenant)).toEqual(['beta']);
    });

    test('gives a message again when its taker’s time ran out, and takes no word of that one then', async () => {
      await add();
      const lost = await takeOne();
      harness.clock.nowMs += LEASE_MS - 1;
      expect(await take()).toEqual([]);
      harness.clock.nowMs += 1;
      const again = await takeOne();
      expect(again).toMatchObject({ id: lost.id, attempts: 2 });
      expect(await outbox().finish(lost, { to: 'delivered', at: now() })).toBe(false);
      expect(await outbox().finish(again, { to: 'delivered', at: now() })).toBe(true);
      expect(await outbox().finish(again, { to: 'dead', at: now(), error: 'x' })).toBe(false);
      expect(await outbox().getById('acme', lost.id)).toMatchObject({ state: 'delivered', finishedAt: now() });
      expect(await outbox().nextDueAt()).toBeUndefined();
    });

    test('tries again when it is told to, and counts the tries', async () => {
      await add();
      for (const attempts of [1, 2, 3]) {
        const taken = await takeOne();
        expect(taken.attempts).toBe(attempts);
        await outbox().finish(taken, { to: 'retry', nextAttemptAt: now() + 1_000, error: '500' });
        expect(await outbox().getById('acme', taken.id)).toMatchObject({
          state: 'pending',
          attempts,
          lastError: '500',
        });
        expect(await take()).toEqual([]);
        harness.clock.nowMs += 1_000;
      }
      const last = await takeOne();
      await outbox().finish(last, { to: 'dead', at: now(), error: 'timeout' });
      expect(await outbox().getById('acme', last.id)).toMatchObject({ state: 'dead', lastError: 'timeout' });
      expect(await outbox().nextDueAt()).toBeUndefined();
    });

    test('sends nothing more to an endpoint that is disabled, and what comes for it is kept', async () => {
      const [waiting, other] = [await add(), await add({ endpoint: 'hook-2' })];
      const taken = await takeOne();
      expect(await outbox().disableEndpoint('acme', 'hook-1', now())).toBe(true);
      expect(await outbox().disableEndpoint('acme', 'hook-1', now() + 5)).toBe(false);
      expect(await outbox().finish(taken, { to: 'retry', nextAttemptAt: now(), error: '410' })).toBe(false);
      expect(await outbox().getById('acme', waiting.id)).toMatchObject({ state: 'disabled', finishedAt: now() });
      expect((await take()).map(({ id }) => id)).toEqual([other.id]);
      expect(await add()).toMatchObject({ state: 'disabled' });
      expect(await add({ tenant: 'beta' })).toMatchObject({ state: 'pending' });
      expect(await outbox().listDisabledEndpoints('acme')).toEqual([{ endpoint: 'hook-1', disabledAt: now() }]);
      expect(await outbox().listDisabledEndpoints('beta')).toEqual([]);
    });

    test('sends again by hand what has ended, once its endpoint is enabled', async () => {
      await add();
      const taken = await takeOne();
      expect(await outbox().replay('acme', taken.id, now())).toBe(false);
      await outbox().finish(taken, { to: 'dead', at: now(), error: 'x' });
      await outbox().disableEndpoint('acme', 'hook-1', now());
      expect(await outbox().replay('acme', taken.id, now())).toBe(false);
      expect(await outbox().enableEndpoint('acme', 'hook-1')).toBe(true);
      expect(await outbox().enableEndpoint('acme', 'hook-1')).toBe(false);
      expect(await outbox().replay('acme', taken.id, now())).toBe(true);
      const again = await takeOne();
      expect(again).toMatchObject({ id: taken.id, attempts: 1, body: messageOf().body });
      expect(again).not.toHaveProperty('lastError');
      await outbox().finish(again, { to: 'delivered', at: now() });
      expect(await outbox().replay('acme', taken.id, now())).toBe(true);
      await expect(outbox().replay('beta', taken.id, now())).rejects.toMatchObject({ code: 'not_found' });
      await expect(outbox().replay('acme', 'none', now())).rejects.toMatchObject({ code: 'not_found' });
    });

    test('lists from the newest down, in pages, by state, within the tenant', async () => {
      const ids: string[] = [];
      for (const _ of range(5)) ids.unshift((await add()).id);
      await add({ tenant: 'beta' });
      const done = await takeOne();
      await outbox().finish(done, { to: 'delivered', at: now() });
      const list = (state?: 'pending' | 'delivered') =>
        readPages((cursor) => outbox().list('acme', state ? { state } : {}, { limit: 2, ...(cursor && { cursor }) }));
      expect((await list()).items.map(({ id }) => id)).toEqual(ids);
      expect((await list('delivered')).items.map(({ id }) => id)).toEqual([done.id]);
      expect((await list('pending')).sizes).toEqual([2, 2]);
    });

    test('is swept of what ended long ago, and of nothing that waits', async () => {
      await outbox().add(
        range(5).map(() => messageOf()),
        now(),
      );
      for (const taken of await take(3)) await outbox().finish(taken, { to: 'delivered', at: now() });
      expect(await outbox().sweep(now(), 10)).toBe(0);
      expect(await outbox().sweep(now() + 1, 2)).toBe(2);
      expect(await outbox().sweep(now() + 1, 10)).toBe(1);
      expect((await outbox().list('acme', {}, { limit: 10 })).items).toHaveLength(2);
    });

    test.each([{ tenant: '' }, { endpoint: '' }, { type: '' }, { nextAttemptAt: 0.5 }])(
      'refuses a message with %j',
      async (change) => {
        await expect(outbox().add([messageOf(), messageOf(change)], now())).rejects.toMatchObject({ code: 'invalid' });
        expect(await take()).toEqual([]);
      },
    );
  });
}
