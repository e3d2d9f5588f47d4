import type { NotificationEndpoint } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { ApprovalNews } from '../ports/approval-messages.ts';
import type { ApprovalSummary } from '../ports/approvals.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import type { DbHarness, MakeDbHarness } from './harness.ts';
import { approvalOf, TERMS } from './held-calls.ts';

const HOOK: NotificationEndpoint = {
  url: 'https://hooks.example.com/postern',
  secret: 'webhook-secret',
  events: ['approval.created', 'approval.decided', 'approval.expired'],
};
const DAY_MS = 86_400_000;

export function describeNotificationEndpointsPort(makeHarness: MakeDbHarness): void {
  describe('notification endpoints', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    const endpoints = () => harness.repositories.notificationEndpoints;
    const now = () => harness.clock.nowMs;
    const make = (change: Partial<NotificationEndpoint> = {}, tenant = 'acme') =>
      endpoints().create(tenant, { ...HOOK, ...change }, 'config');

    test('are kept as they were written, by URL, for their tenant alone', async () => {
      const open = { url: 'http://10.0.0.1/hook', unsafeAllowAddresses: ['10.0.0.0/8'] };
      const [hook, other] = [await make(), await make(open)];
      expect(hook).toEqual({
        tenant: 'acme',
        id: expect.any(String),
        spec: HOOK,
        origin: 'config',
        createdAt: now(),
        updatedAt: now(),
      });
      expect(await endpoints().listByTenant('acme')).toEqual([other, hook]);
      expect(await endpoints().listByTenant('beta')).toEqual([]);
      expect(await endpoints().getById('acme', hook.id)).toEqual(hook);
      expect(await endpoints().getById('beta', hook.id)).toBeUndefined();
    });

    test('are one for a URL, of each tenant', async () => {
      await make();
      await expect(make({ secret: 'another' })).rejects.toMatchObject({ code: 'conflict' });
      await make({}, 'beta');
      await expect(make({}, 'nope')).rejects.toMatchObject({ code: 'not_found' });
      await expect(make({ url: '' })).rejects.toMatchObject({ code: 'invalid' });
    });

    test('change but for their URL', async () => {
      const hook = await make();
      harness.clock.nowMs += 5;
      const spec: NotificationEndpoint = { ...HOOK, events: ['secret.expiring'] };
      expect(await endpoints().update(hook, spec, 'api')).toEqual({ ...hook, spec, origin: 'api', updatedAt: now() });
      const moved = endpoints().update(hook, { ...HOOK, url: 'https://elsewhere.example.com/' }, 'api');
      await expect(moved).rejects.toMatchObject({ code: 'invalid' });
      const foreign = endpoints().update({ tenant: 'beta', id: hook.id }, spec, 'api');
      await expect(foreign).rejects.toMatchObject({ code: 'not_found' });
    });

    test('that are removed take along what waited for them, and are others when they are made again', async () => {
      const { outbox } = harness.repositories;
      const hook = await make();
      const message = { tenant: 'acme', endpoint: hook.id, type: 'approval.created', body: '{}' };
      const [waiting] = await outbox.add([message], now());
      await expect(endpoints().remove('beta', hook.id, now())).rejects.toMatchObject({ code: 'not_found' });
      await endpoints().remove('acme', hook.id, now());
      expect(await outbox.getById('acme', waiting?.id ?? '')).toMatchObject({ state: 'disabled', finishedAt: now() });
      expect(await outbox.replay('acme', waiting?.id ?? '', now())).toBe(false);
      await expect(endpoints().remove('acme', hook.id, now())).rejects.toMatchObject({ code: 'not_found' });
      const again = await make();
      expect(again.id).not.toBe(hook.id);
      const [next] = await outbox.add([{ ...message, endpoint: again.id }], now());
      expect(next?.state).toBe('pending');
    });

    test('remember how the last try ended', async () => {
      const hook = await make();
      const read = async () => {
        const { deliveredAt, failed } = (await endpoints().getById('acme', hook.id)) ?? {};
        return { deliveredAt, failed };
      };
      await endpoints().noteTry('acme', hook.id, { at: 10 });
      expect(await read()).toEqual({ deliveredAt: 10, failed: undefined });
      await endpoints().noteTry('acme', hook.id, { at: 20, error: 'status_500' });
      expect(await read()).toEqual({ deliveredAt: 10, failed: { at: 20, error: 'status_500' } });
      await endpoints().noteTry('beta', hook.id, { at: 25 });
      await endpoints().noteTry('acme', hook.id, { at: 30 });
      expect(await read()).toEqual({ deliveredAt: 30, failed: undefined });
    });

    test('of a thing that is told of at most once a day, one notice is taken, by one of many', async () => {
      const take = (at: number, subject = 'secret:token', tenant = 'acme') =>
        endpoints().takeNotice(tenant, subject, { at, everyMs: DAY_MS });
      expect((await Promise.all([take(1_000), take(1_000), take(1_000)])).filter(Boolean)).toHaveLength(1);
      expect(await take(1_000 + DAY_MS - 1)).toBe(false);
      expect(await take(1_000, 'secret:other')).toBe(true);
      expect(await take(1_000, 'secret:token', 'beta')).toBe(true);
      expect(await take(1_000 + DAY_MS)).toBe(true);
      expect(await take(1_000 + DAY_MS)).toBe(false);
      // The clock has gone back: better told twice than never.
      expect(await take(500)).toBe(true);
    });

    test('a notice stands or falls with its transaction', async () => {
      const when = { at: 1_000, everyMs: DAY_MS };
      const failed = runInTransaction(harness.client, async (context) => {
        expect(await endpoints().takeNotice('acme', 'secret:token', when, context)).toBe(true);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await endpoints().takeNotice('acme', 'secret:token', when)).toBe(true);
    });

    test('a stored one of another form is refused, by table and column', async () => {
      await make();
      await harness.client
        .writes(INSTANCE_SCOPE)
        .updateTable('notification_endpoints')
        .set({ spec: '{"url":1}' })
        .execute();
      const refused = { code: 'invalid', message: expect.stringContaining('notification_endpoints.spec') };
      await expect(endpoints().listByTenant('acme')).rejects.toMatchObject(refused);
    });
  });

  describe('approvals that somebody wants to be told of', () => {
    let harness: DbHarness;
    let told: { approval: ApprovalSummary; type: ApprovalNews; at: number }[];
    let ids = 0;
    beforeEach(async () => {
      harness = await makeHarness();
      told = [];
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    const now = () => harness.clock.nowMs;
    const telling = () =>
      createDbRepositories(harness.client, {
        now,
        newId: () => `told-${++ids}`,
        approvalMessage: (approval, news) => {
          told.push({ approval, ...news });
          return `${news.type} ${approval.id} ${approval.status}`;
        },
      });
    const subscribe = (change: Partial<NotificationEndpoint> = {}, tenant = 'acme') =>
      harness.repositories.notificationEndpoints.create(tenant, { ...HOOK, ...change }, 'config');
    const bodies = async () => {
      const { items } = await harness.repositories.outbox.list('acme', {}, { limit: 50 });
      return items.map(({ body }) => body).toReversed();
    };
    const open = async (change = {}) => {
      const opened = await telling().approvals.createFromCanonicalDescriptor(approvalOf(change), { nowMs: now() });
      if (opened.kind !== 'created' && opened.kind !== 'joined') throw new Error(opened.kind);
      return opened.approval;
    };
    const approve = (id: string) =>
      telling().approvals.transition('acme', id, {
        to: 'approved',
        by: 'bob',
        at: now(),
        executeUntil: now() + 600_000,
        grant: { kind: 'once', expiresAt: now() + 600_000 },
      });

    test('have a message for each endpoint that wants the event, with what stands in the store then', async () => {
      const hook = await subscribe();
      const decisionsOnly = await subscribe({ url: 'https://b.example.com/', events: ['approval.decided'] });
      await subscribe({ url: 'https://c.example.com/' }, 'beta');
      const { id } = await open();
      expect(told).toEqual([{ approval: expect.objectContaining({ id, status: 'pending' }), ...newsOf('created') }]);
      await open();
      await approve(id);
      expect(told.slice(1)).toEqual([
        { approval: expect.objectContaining({ id, status: 'approved' }), ...newsOf('decided') },
      ]);
      const { items } = await harness.repositories.outbox.list('acme', {}, { limit: 50 });
      expect(items.map(({ endpoint, type }) => [endpoint, type]).toReversed()).toEqual([
        [hook.id, 'approval.created'],
        [decisionsOnly.id, 'approval.decided'],
        [hook.id, 'approval.decided'],
      ]);
      expect((await harness.repositories.outbox.list('beta', {}, { limit: 50 })).items).toEqual([]);
    });

    const newsOf = (what: 'created' | 'decided' | 'expired') => ({ type: `approval.${what}`, at: now() });

    test('make no message where nobody asks for one', async () => {
      const { id } = await open();
      await approve(id);
      expect(told).toEqual([]);
      expect(await bodies()).toEqual([]);
    });

    test('are told of in the transaction of the change, or not at all', async () => {
      await subscribe();
      const failed = runInTransaction(harness.client, async (context) => {
        await telling().approvals.createFromCanonicalDescriptor(approvalOf(), { nowMs: now() }, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await bodies()).toEqual([]);
    });

    test('are told of once, however many would end them', async () => {
      await subscribe();
      const { id } = await open();
      const deny = (by: string) =>
        telling().approvals.transition('acme', id, { to: 'denied', by, at: now(), reason: 'no' });
      await Promise.all([deny('bob'), deny('carol'), approve(id)]);
      expect(await bodies()).toHaveLength(2);
    });

    test.each([
      ['the sweeper', () => telling().approvals.sweep(now(), 10)],
      ['another call of the same binding', () => open()],
      [
        'who reads it so',
        async () => {
          const [first] = told;
          await telling().approvals.transition('acme', first?.approval.id ?? '', { to: 'expired', at: now() });
        },
      ],
    ])('are told of as expired, whether %s notices', async (_who, notice) => {
      await subscribe();
      const { id } = await open();
      harness.clock.nowMs += TERMS.pendingSeconds * 1_000;
      await notice();
      await telling().approvals.sweep(now(), 10);
      const expired = (await bodies()).filter((body) => body.startsWith('approval.expired'));
      expect(expired).toEqual([`approval.expired ${id} expired`]);
    });

    test('are told of when their last grant is revoked, and when they are withdrawn', async () => {
      await subscribe();
      const { id } = await open();
      const { grantId } = await approve(id);
      await telling().grants.revoke('acme', grantId ?? '', { by: 'bob', at: now() });
      const other = await open({ fingerprint: 'd'.repeat(64) });
      await telling().approvals.transition('acme', other.id, { to: 'cancelled', by: 'coder', at: now() });
      expect((await bodies()).slice(2)).toEqual([
        `approval.expired ${id} expired`,
        `approval.created ${other.id} pending`,
        `approval.decided ${other.id} cancelled`,
      ]);
    });

    test('ask anew when policy asks more people', async () => {
      await subscribe();
      const { id } = await open();
      await approve(id);
      const terms = { ...TERMS, approvers: 2 };
      await telling().approvals.transition('acme', id, { to: 'pending', at: now(), terms, reason: 'two now' });
      expect((await bodies()).at(-1)).toBe(`approval.created ${id} pending`);
    });
  });
}
