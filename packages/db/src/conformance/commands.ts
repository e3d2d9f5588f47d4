import { describe, expect, test } from 'vitest';
import { COMMAND_BYTES_MAX, type CommandRecord, type CommandState, type NewCommand } from '../ports/commands.ts';
import { type MakeDbHarness, readPages } from './harness.ts';
import { range, shareHarness } from './shared-harness.ts';

const LEASE_MS = 30_000;
const STATES = ['queued', 'sent', 'received', 'running', 'succeeded', 'cancelled', 'expired', 'unknown'] as const;
type Reached = (typeof STATES)[number];

export function describeCommandsPort(makeHarness: MakeDbHarness): void {
  describe('commands', () => {
    const shared = shareHarness(makeHarness);
    const port = () => shared.repositories.commands;
    const now = () => shared.clock.nowMs;
    const create = async (change: Partial<NewCommand> = {}): Promise<CommandRecord> => {
      const tenant = change.tenant ?? (await shared.newTenant());
      const command = {
        tenant,
        edge: 'edge-1',
        kind: 'reload',
        payload: { force: true },
        createdBy: 'root',
        ...change,
      };
      return (await port().create(command, now())).command;
    };
    const take = ({ tenant, edge }: Pick<CommandRecord, 'tenant' | 'edge'>, limit = 10) =>
      port().take({ tenant, edge }, now(), { leaseMs: LEASE_MS, limit });
    const read = ({ tenant, id }: CommandRecord, atMs = now()) => port().getById(tenant, id, atMs);
    const lease = () => ({ at: now(), leaseUntil: now() + LEASE_MS });
    const reach = async (state: Reached): Promise<CommandRecord> => {
      const command = await create();
      if (state === 'queued') return command;
      if (state === 'cancelled') return (await port().cancel(command.tenant, command.id, now())).command;
      if (state === 'expired') return end(command);
      await take(command);
      if (state === 'unknown') return end(command);
      if (state === 'sent') return (await read(command)) as CommandRecord;
      if (state === 'received') return (await port().markReceived(command, lease())).command;
      if (state === 'running') return (await port().noteProgress(command, { ...lease(), progress: 1 })).command;
      return (await port().finish(command, { to: 'succeeded', at: now(), result: 'first' })).command;
    };
    const end = async (command: CommandRecord) => {
      shared.clock.nowMs = command.expiresAt;
      await port().sweep(now(), 1_000);
      return (await read(command)) as CommandRecord;
    };

    test('one has priority 3 and an hour unless it says otherwise, and is found in its tenant alone', async () => {
      const command = await create();
      expect(command).toEqual({
        tenant: command.tenant,
        id: expect.any(String),
        edge: 'edge-1',
        kind: 'reload',
        payload: { force: true },
        priority: 3,
        state: 'queued',
        createdBy: 'root',
        createdAt: now(),
        expiresAt: now() + 3_600_000,
        attempts: 0,
      });
      expect(await read(command)).toEqual(command);
      expect(await port().getById(await shared.newTenant(), command.id, now())).toBeUndefined();
    });

    test('an id is one command for ever: the same again makes none, another is a conflict', async () => {
      const tenant = await shared.newTenant();
      const command = {
        tenant,
        id: 'given',
        edge: 'edge-1',
        kind: 'reload',
        payload: { a: 1, b: 2 },
        createdBy: 'root',
      };
      expect(await port().create(command, now())).toMatchObject({ isNew: true });
      const again = await port().create({ ...command, payload: { b: 2, a: 1 }, createdBy: 'eve' }, now());
      expect(again).toMatchObject({ isNew: false, command: { createdBy: 'root' } });
      for (const change of [{ payload: { a: 2 } }, { kind: 'stop' }, { edge: 'edge-2' }, { priority: 1 }]) {
        await expect(port().create({ ...command, ...change }, now())).rejects.toMatchObject({ code: 'conflict' });
      }
      const second = await shared.secondProcess();
      const fresh = { ...command, id: 'fresh' };
      const made = await Promise.all([port().create(fresh, now()), second.commands.create(fresh, now())]);
      expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
    });

    test('they are sent by priority, then in the order of their making, to their own edge', async () => {
      const tenant = await shared.newTenant();
      const ids: string[] = [];
      for (const priority of [3, 5, 1, 3]) ids.push((await create({ tenant, priority })).id);
      await create({ tenant, edge: 'edge-2' });
      const taken = await take({ tenant, edge: 'edge-1' });
      expect(taken.map(({ id }) => id)).toEqual([ids[2], ids[0], ids[3], ids[1]]);
      expect(taken[0]).toMatchObject({ state: 'sent', attempts: 1, leaseUntil: now() + LEASE_MS });
      expect(await take({ tenant, edge: 'edge-1' })).toEqual([]);
      expect(await take({ tenant: await shared.newTenant(), edge: 'edge-1' })).toEqual([]);
    });

    test('of two processes that take at once, each command goes to one', async () => {
      const tenant = await shared.newTenant();
      for (const _ of range(5)) await create({ tenant });
      const second = await shared.secondProcess();
      const terms = { leaseMs: LEASE_MS, limit: 4 };
      const taken = await Promise.all([
        port().take({ tenant, edge: 'edge-1' }, now(), terms),
        second.commands.take({ tenant, edge: 'edge-1' }, now(), terms),
      ]);
      const ids = taken.flat().map(({ id }) => id);
      expect(ids).toHaveLength(5);
      expect(new Set(ids).size).toBe(5);
    });

    test('one whose lease ran out is sent again as what it has come to', async () => {
      const command = await create();
      await take(command);
      await port().noteProgress(command, { ...lease(), progress: { percent: 10 } });
      shared.clock.nowMs += LEASE_MS - 1;
      expect(await take(command)).toEqual([]);
      shared.clock.nowMs += 1;
      expect(await take(command)).toMatchObject([{ id: command.id, state: 'running', attempts: 2 }]);
    });

    test('its way is told step by step', async () => {
      const command = await create();
      await take(command);
      const received = await port().markReceived(command, lease());
      expect(received).toMatchObject({ isDone: true, command: { state: 'received', receivedAt: now() } });
      const receivedAt = now();
      shared.clock.nowMs += 10;
      const running = await port().noteProgress(command, { ...lease(), progress: { percent: 50 } });
      expect(running.command).toMatchObject({ state: 'running', receivedAt, progress: { percent: 50 } });
      const { command: done } = await port().finish(command, { to: 'failed', at: now(), result: { code: 'no_disk' } });
      expect(done).toMatchObject({ state: 'failed', receivedAt, finishedAt: now(), result: { code: 'no_disk' } });
      expect(done.leaseUntil).toBeUndefined();
      expect(await read(command)).toEqual(done);
    });

    test('a result tells that it was received, and may be nothing at all', async () => {
      const command = await create();
      await take(command);
      const { command: done } = await port().finish(command, { to: 'succeeded', at: now() });
      expect(done).toMatchObject({ state: 'succeeded', receivedAt: now() });
      expect('result' in done).toBe(false);
    });

    const leads: Record<'markReceived' | 'noteProgress' | 'finish' | 'cancel' | 'take', readonly Reached[]> = {
      markReceived: ['sent'],
      noteProgress: ['sent', 'received', 'running'],
      finish: ['sent', 'received', 'running', 'unknown'],
      cancel: ['queued'],
      take: ['queued'],
    };
    const moves: Record<keyof typeof leads, (command: CommandRecord) => Promise<{ readonly isDone: boolean }>> = {
      markReceived: (command) => port().markReceived(command, lease()),
      noteProgress: (command) => port().noteProgress(command, { ...lease(), progress: 2 }),
      finish: (command) => port().finish(command, { to: 'rejected', at: now(), result: 'second' }),
      cancel: ({ tenant, id }) => port().cancel(tenant, id, now()),
      take: async (command) => ({ isDone: (await take(command)).length === 1 }),
    };
    test.each(
      (Object.keys(leads) as (keyof typeof leads)[]).flatMap((verb) =>
        STATES.map((state) => [verb, state, leads[verb].includes(state)] as const),
      ),
    )('%s of one that is %s is done: %s', async (verb, state, isAllowed) => {
      const command = await reach(state);
      expect(command.state).toBe(state);
      expect((await moves[verb](command)).isDone).toBe(isAllowed);
      if (!isAllowed) expect(await read(command)).toEqual(command);
    });

    test('of many results, over two processes, the first stays', async () => {
      const command = await create();
      await take(command);
      const second = await shared.secondProcess();
      const told = await Promise.all(
        range(8).map((number) =>
          (number % 2 === 0 ? port() : second.commands).finish(command, { to: 'succeeded', at: now(), result: number }),
        ),
      );
      expect(told.filter(({ isDone }) => isDone)).toHaveLength(1);
      const kept = (await read(command))?.result;
      expect(told.every(({ command: { result } }) => result === kept)).toBe(true);
    });

    test('the word of another edge, or for another tenant, is not heard', async () => {
      const command = await create();
      await take(command);
      const foreign = { ...command, edge: 'edge-2' };
      const elsewhere = { ...command, tenant: await shared.newTenant() };
      for (const ref of [foreign, elsewhere]) {
        await expect(port().markReceived(ref, lease())).rejects.toMatchObject({ code: 'not_found' });
        const progress = port().noteProgress(ref, { ...lease(), progress: 1 });
        await expect(progress).rejects.toMatchObject({ code: 'not_found' });
        const result = port().finish(ref, { to: 'succeeded', at: now() });
        await expect(result).rejects.toMatchObject({ code: 'not_found' });
      }
      const cancelled = port().cancel(elsewhere.tenant, command.id, now());
      await expect(cancelled).rejects.toMatchObject({ code: 'not_found' });
      expect((await read(command))?.state).toBe('sent');
    });

    test('one that was never sent expires and is sent no more, whether it was swept or not', async () => {
      const command = await create({ expiresAt: now() + 1_000 });
      expect((await read(command, command.expiresAt - 1))?.state).toBe('queued');
      expect(await read(command, command.expiresAt)).toMatchObject({ state: 'expired', finishedAt: command.expiresAt });
      shared.clock.nowMs = command.expiresAt;
      expect(await take(command)).toEqual([]);
      expect((await port().cancel(command.tenant, command.id, now())).isDone).toBe(false);
      const before = await read(command);
      await port().sweep(now(), 1_000);
      expect(await read(command)).toEqual(before);
    });

    test('one that was sent and of which no more came is unknown, until a late result tells', async () => {
      for (const isSwept of [false, true]) {
        const command = await create({ expiresAt: now() + 1_000 });
        await take(command);
        shared.clock.nowMs = command.expiresAt;
        if (isSwept) await port().sweep(now(), 1_000);
        expect(await read(command)).toMatchObject({ state: 'unknown', finishedAt: command.expiresAt });
        expect(await take(command)).toEqual([]);
        const late = await port().finish(command, { to: 'succeeded', at: now() + 5, result: 'after all' });
        expect(late).toMatchObject({ isDone: true, command: { state: 'succeeded', finishedAt: now() + 5 } });
      }
    });

    test('lists go newest first, in pages, by edge and by the state that they read', async () => {
      const tenant = await shared.newTenant();
      const ids: string[] = [];
      for (const edge of ['edge-1', 'edge-2', 'edge-1']) ids.unshift((await create({ tenant, edge })).id);
      const short = await create({ tenant, expiresAt: now() + 1 });
      const sent = await create({ tenant, edge: 'edge-3', expiresAt: now() + 1 });
      await take(sent);
      const list = (filter: { edge?: string; state?: CommandState }, nowMs = now()) =>
        readPages((cursor) => port().list(tenant, filter, { limit: 2, nowMs, ...(cursor && { cursor }) }));
      expect((await list({})).items.map(({ id }) => id)).toEqual([sent.id, short.id, ...ids]);
      expect((await list({})).sizes).toEqual([2, 2, 1]);
      expect((await list({ edge: 'edge-2' })).items.map(({ id }) => id)).toEqual([ids[1]]);
      expect((await list({ state: 'queued' })).items).toHaveLength(4);
      expect((await list({ state: 'queued' }, now() + 1)).items.map(({ id }) => id)).toEqual(ids);
      expect((await list({ state: 'expired' }, now() + 1)).items.map(({ id }) => id)).toEqual([short.id]);
      expect((await list({ state: 'unknown' }, now() + 1)).items.map(({ id }) => id)).toEqual([sent.id]);
      expect((await list({ state: 'sent' })).items.map(({ id }) => id)).toEqual([sent.id]);
      await expect(list({ state: 'lost' as CommandState })).rejects.toMatchObject({ code: 'invalid' });
    });

    test('what is finished goes once it is old, what waits stays', async () => {
      const tenant = await shared.newTenant();
      const [done, waiting] = [await create({ tenant }), await create({ tenant })];
      await take(done, 1);
      await port().finish(done, { to: 'succeeded', at: now() });
      await port().removeFinished(now(), 1_000);
      expect(await read(done)).toBeDefined();
      expect(await port().removeFinished(now() + 1, 1_000)).toBeGreaterThanOrEqual(1);
      expect(await read(done)).toBeUndefined();
      expect(await read(waiting)).toBeDefined();
    });

    test.each([
      null,
      'text',
      0,
      false,
      [],
      { nested: { list: [1, 'ü', null] } },
      '\\u0000 written out',
      '\ud83d\ude00',
    ])('the payload %j comes back as it was', async (payload) => {
      const command = await create({ payload });
      expect((await read(command))?.payload).toEqual(payload);
    });

    test.each([
      [{ edge: '' }, 'invalid'],
      [{ kind: '' }, 'invalid'],
      [{ id: '' }, 'invalid'],
      [{ createdBy: '' }, 'invalid'],
      [{ priority: 0 }, 'invalid'],
      [{ priority: 6 }, 'invalid'],
      [{ priority: 2.5 }, 'invalid'],
      [{ expiresAt: 0 }, 'invalid'],
      [{ payload: undefined }, 'invalid'],
      [{ payload: 'a\u0000b' }, 'invalid'],
      [{ payload: '\ud800' }, 'invalid'],
      [{ payload: 'x'.repeat(COMMAND_BYTES_MAX - 1) }, 'invalid'],
      [{ tenant: 'nowhere' }, 'not_found'],
      [{ tenant: '' }, 'invalid'],
    ])('one with %j is refused as %s', async (change, code) => {
      await expect(create(change)).rejects.toMatchObject({ code });
    });

    test('a payload of exactly the bound is taken', async () => {
      const payload = 'x'.repeat(COMMAND_BYTES_MAX - 2);
      expect((await create({ payload })).payload).toBe(payload);
    });
  });
}
