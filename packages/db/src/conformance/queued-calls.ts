import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import {
  QUEUED_CALLS_PER_TENANT_MAX,
  type QueuedCallRecord,
  type QueuedCallsPort,
  type TakenCall,
} from '../ports/calls.ts';
import { runInTransaction } from '../transaction.ts';
import type { DbHarness, MakeDbHarness } from './harness.ts';

const LEASE_MS = 15_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);
type NewCall = Parameters<QueuedCallsPort['enqueue']>[0];

export function describeQueuedCallsPort(makeHarness: MakeDbHarness): void {
  describe('queued calls', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    const calls = () => harness.repositories.queuedCalls;
    const now = () => harness.clock.nowMs;
    const callOf = (change: Partial<NewCall> = {}): NewCall => ({
      tenant: 'acme',
      agent: 'coder',
      integration: 'github',
      sealedRequest: 'request-1',
      claimKey: 'key-1',
      requestId: 'r-1',
      ...change,
    });
    const add = async (change: Partial<NewCall> = {}) =>
      (await calls().enqueue(callOf(change), now())) as QueuedCallRecord;
    const take = (limit = 100, perIntegration?: number) =>
      calls().take(now(), { leaseMs: LEASE_MS, limit, ...(perIntegration && { perIntegration }) });
    const takeOne = async (): Promise<TakenCall> => {
      const [taken] = await take(1);
      if (taken === undefined) throw new Error('nothing can be taken');
      return taken;
    };
    const end = (call: TakenCall, sealed = Uint8Array.of(1, 2, 3)) =>
      calls().finish(call, { result: { kind: 'answer', sealed }, at: now(), keepUntil: now() + 1_000 });

    test('are kept with all that is known of them', async () => {
      const added = await add();
      expect(added).toEqual({ ...callOf(), id: expect.any(String), state: 'queued', attempts: 0, createdAt: now() });
      expect(await calls().getById('acme', added.id)).toEqual(added);
      expect(await calls().getById('beta', added.id)).toBeUndefined();
    });

    test('are run by one worker each, the oldest first, four at a time of an integration', async () => {
      const ids: string[] = [];
      for (const index of range(10)) ids.push((await add({ claimKey: `k-${index}` })).id);
      await add({ integration: 'slack', claimKey: 'other' });
      await add({ tenant: 'beta', claimKey: 'foreign' });
      const taken = (await Promise.all(range(5).map(() => take()))).flat();
      expect(taken.map(({ claimKey }) => claimKey).sort()).toEqual(['foreign', 'k-0', 'k-1', 'k-2', 'k-3', 'other']);
      expect(taken[0]).toMatchObject({ state: 'running', attempts: 1, startedAt: now(), leaseUntil: now() + LEASE_MS });
      expect(await take()).toEqual([]);
      const first = taken.find(({ id }) => id === ids[0]) as TakenCall;
      expect(await end(first)).toBe(true);
      expect((await take()).map(({ id }) => id)).toEqual([ids[4]]);
    });

    test('are never more than four at once of an integration, however many ask', async () => {
      for (const index of range(30)) await add({ claimKey: `k-${index}` });
      let running = 0;
      let most = 0;
      let done = 0;
      const worker = async () => {
        while (done < 30) {
          const taken = await take(2);
          running += taken.length;
          most = Math.max(most, running);
          for (const call of taken) {
            expect(await end(call)).toBe(true);
            running -= 1;
            done += 1;
          }
        }
      };
      await Promise.all(range(6).map(worker));
      expect(done).toBe(30);
      expect(most).toBeLessThanOrEqual(4);
    });

    test('are taken again when their worker’s time ran out, and that one has no word any more', async () => {
      await add();
      const lost = await takeOne();
      harness.clock.nowMs += LEASE_MS - 1;
      expect(await take()).toEqual([]);
      expect(await calls().renew(lost, now() + LEASE_MS)).toBe(true);
      harness.clock.nowMs += LEASE_MS - 1;
      expect(await take()).toEqual([]);
      harness.clock.nowMs += 1;
      const again = await takeOne();
      expect(again).toMatchObject({ id: lost.id, attempts: 2 });
      expect(await calls().renew(lost, now() + LEASE_MS)).toBe(false);
      expect(await end(lost)).toBe(false);
      expect(await calls().putBack(lost, now())).toBe(false);
      expect(await end(again)).toBe(true);
      expect(await end(again)).toBe(false);
    });

    test('are put back, to be taken when they are due', async () => {
      await add();
      const taken = await takeOne();
      expect(await calls().putBack(taken, now() + 500)).toBe(true);
      expect(await calls().getById('acme', taken.id)).toMatchObject({ state: 'queued' });
      expect(await calls().nextDueAt()).toBe(now() + 500);
      expect(await take()).toEqual([]);
      harness.clock.nowMs += 500;
      expect(await takeOne()).toMatchObject({ id: taken.id, attempts: 2 });
    });

    test('are taken of all tenants and integrations, four of each', async () => {
      const rows = range(500).flatMap((index) =>
        range(12).map((number) => ({
          ...{ tenant: `t-${number % 3}`, integration: `i-${number % 4}`, agent: 'coder', state: 'queued' as const },
          ...{ id: `${index}-${number}`, sealed_request: 's', claim_key: `${index}-${number}`, request_id: 'r' },
          ...{ attempts: 0, due_at: now(), created_at: now() },
        })),
      );
      for (let at = 0; at < rows.length; at += 500)
        await harness.client
          .writes(INSTANCE_SCOPE)
          .insertInto('queued_calls')
          .values(rows.slice(at, at + 500))
          .execute();
      const taken = await take(1_000);
      expect(taken).toHaveLength(12 * 4);
      const places = taken.map(({ tenant, integration }) => `${tenant} ${integration}`);
      for (const place of places) expect(places.filter((one) => one === place)).toHaveLength(4);
      expect(await take(1_000)).toEqual([]);
      harness.clock.nowMs += LEASE_MS;
      expect((await take(1_000)).map(({ id }) => id).sort()).toEqual(taken.map(({ id }) => id).sort());
    });

    test('are found by their key while they are queued or running, the youngest first', async () => {
      const scope = { tenant: 'acme', agent: 'coder', integration: 'github', key: 'key-1' };
      expect(await calls().findOpen(scope)).toBeUndefined();
      await add();
      const youngest = await add();
      for (const other of [{ tenant: 'beta' }, { agent: 'other' }, { integration: 'slack' }, { key: 'key-2' }])
        expect(await calls().findOpen({ ...scope, ...other })).toBeUndefined();
      expect(await calls().findOpen(scope)).toEqual(youngest);
      const [older, younger] = await take();
      expect(await calls().findOpen(scope)).toMatchObject({ id: youngest.id, state: 'running' });
      await end(younger as TakenCall);
      expect((await calls().findOpen(scope))?.id).toBe(older?.id);
      await end(older as TakenCall);
      expect(await calls().findOpen(scope)).toBeUndefined();
    });

    test('have their answer as it was sealed', async () => {
      const { id } = await add();
      const sealed = Uint8Array.from(range(90_000), (index) => index % 251);
      await end(await takeOne(), sealed);
      expect(await calls().getById('acme', id)).toMatchObject({
        state: 'done',
        finishedAt: now(),
        result: { kind: 'answer', bytes: 90_000 },
      });
      expect(Buffer.from((await calls().readResult('acme', id)) ?? []).equals(sealed)).toBe(true);
      expect(await calls().readResult('beta', id)).toBeUndefined();
      expect(await calls().nextDueAt()).toBeUndefined();
    });

    test('have their problem', async () => {
      const { id } = await add();
      const result = { kind: 'problem', code: 'denied', status: 403, detail: 'Policy refuses this call.' } as const;
      await calls().finish(await takeOne(), { result, at: now(), keepUntil: now() + 1 });
      expect((await calls().getById('acme', id))?.result).toEqual(result);
      expect(await calls().readResult('acme', id)).toBeUndefined();
    });

    test('are cancelled before they run, by their agent, and not after', async () => {
      const { id } = await add();
      const cancel = (agent?: string, tenant = 'acme') =>
        calls().cancel(tenant, id, { at: now(), keepUntil: now() + 1, ...(agent && { agent }) });
      expect(await cancel('other')).toBe(false);
      expect(await cancel('coder', 'beta')).toBe(false);
      expect(await cancel('coder')).toBe(true);
      expect(await cancel('coder')).toBe(false);
      expect(await calls().getById('acme', id)).toMatchObject({ state: 'cancelled', finishedAt: now() });
      expect(await take()).toEqual([]);
      const running = await add();
      await takeOne();
      expect(await calls().cancel('acme', running.id, { at: now(), keepUntil: now() })).toBe(false);
    });

    test('cancelled and taken at once are one of both', async () => {
      for (const _ of range(20)) {
        const { id } = await add();
        const [cancelled, taken] = await Promise.all([
          calls().cancel('acme', id, { at: now(), keepUntil: now() }),
          take(),
        ]);
        expect(Number(cancelled) + taken.length).toBe(1);
        for (const call of taken) await end(call);
      }
    });

    test('are ten thousand of a tenant and no more; what has ended makes room', async () => {
      const row = {
        tenant: 'acme',
        agent: 'coder',
        integration: 'github',
        state: 'queued',
        sealed_request: 's',
        attempts: 0,
      } as const;
      for (const part of range(20)) {
        const rows = range(QUEUED_CALLS_PER_TENANT_MAX / 20 - (part === 0 ? 1 : 0)).map((index) => ({
          ...row,
          ...{
            id: `${part}-${index}`,
            claim_key: `${part}-${index}`,
            request_id: 'r',
            due_at: now(),
            created_at: now(),
          },
        }));
        await harness.client.writes(INSTANCE_SCOPE).insertInto('queued_calls').values(rows).execute();
      }
      const last = await Promise.all(range(5).map(() => calls().enqueue(callOf(), now())));
      expect(last.filter((call) => call !== undefined)).toHaveLength(1);
      expect(await calls().enqueue(callOf({ tenant: 'beta' }), now())).toBeDefined();
      const [taken] = await take(1);
      expect(await calls().enqueue(callOf(), now())).toBeUndefined();
      await end(taken as TakenCall);
      expect(await calls().enqueue(callOf(), now())).toBeDefined();
    });

    test('fall with the caller’s transaction', async () => {
      const failed = runInTransaction(harness.client, async (context) => {
        await calls().enqueue(callOf(), now(), context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await take()).toEqual([]);
    });

    test('are swept at their end, with their answers', async () => {
      const { id } = await add();
      await add();
      await end(await takeOne());
      expect(await calls().sweep(now() + 999, 10)).toBe(0);
      expect(await calls().sweep(now() + 1_000, 10)).toBe(1);
      expect(await calls().getById('acme', id)).toBeUndefined();
      expect(
        await harness.client.points(INSTANCE_SCOPE).selectFrom('stored_answers').select('answer').execute(),
      ).toEqual([]);
      expect(await take()).toHaveLength(1);
    });

    test.each([{ tenant: '' }, { agent: '' }, { integration: '' }, { sealedRequest: '' }, { claimKey: '' }])(
      'with %j are refused',
      async (change) => {
        await expect(calls().enqueue(callOf(change), now())).rejects.toMatchObject({ code: 'invalid' });
      },
    );
  });
}
