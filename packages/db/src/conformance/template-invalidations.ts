import { type TemplateInput, templateSchema } from '@postern/schemas';
import { beforeEach, describe, expect, test } from 'vitest';
import type { MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

const LEASE_MS = 30_000;
const ACME: TemplateInput = {
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'things.read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
};

export function describeTemplateInvalidationsPort(makeHarness: MakeDbHarness): void {
  describe('word of changed templates', () => {
    const shared = shareHarness(makeHarness);
    const port = () => shared.repositories.templateInvalidations;
    const now = () => shared.clock.nowMs;
    const publish = (tenant: string, version = 1, title = 'Acme') => {
      const document = JSON.stringify(templateSchema.parse({ ...ACME, version, title }));
      return shared.within((context) =>
        shared.repositories.templates.createTemplateVersionImmutable({ tenant, document, origin: 'api' }, context),
      );
    };
    const take = (limit = 10) => port().take(now(), { leaseMs: LEASE_MS, limit });
    const takeOne = async () => {
      const [taken] = await take(1);
      if (taken === undefined) throw new Error('nothing is due');
      return taken;
    };
    // What another test has left is none of this one's.
    beforeEach(async () => {
      shared.clock.nowMs += LEASE_MS;
      for (const taken of await take(100)) await port().finish(taken, { to: 'delivered', at: now() });
      shared.clock.nowMs += 1;
    });

    test('every change of a template is told of, and nothing else', async () => {
      const tenant = await shared.newTenant();
      await publish(tenant, 1);
      await publish(tenant, 1);
      await publish(tenant, 2);
      const { templates } = shared.repositories;
      await shared.within((context) => templates.retireTemplateVersion(tenant, 'acme', 2, context));
      await shared.within((context) => templates.retireTemplateVersion(tenant, 'acme', 2, context));
      await publish(tenant, 2);
      await expect(publish(tenant, 2, 'Other')).rejects.toMatchObject({ code: 'conflict' });
      const pending = await port().listPending(tenant, 10);
      expect(pending.map(({ name, version }) => `${name}@${version}`).sort()).toEqual([
        'acme@1',
        'acme@2',
        'acme@2',
        'acme@2',
      ]);
      expect(pending[0]).toEqual({
        tenant,
        id: expect.any(String),
        name: 'acme',
        version: expect.any(Number),
        createdAt: now(),
        attempts: 0,
        state: 'pending',
        nextAttemptAt: now(),
      });
      expect(await port().listPending(await shared.newTenant(), 10)).toEqual([]);
    });

    test('a change that is rolled back is not told of', async () => {
      const tenant = await shared.newTenant();
      const document = JSON.stringify(templateSchema.parse(ACME));
      const failed = shared.within(async (context) => {
        const version = { tenant, document, origin: 'api' } as const;
        await shared.repositories.templates.createTemplateVersionImmutable(version, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await port().listPending(tenant, 10)).toEqual([]);
    });

    test('one is taken by one at a time, also when two processes ask at once', async () => {
      const tenant = await shared.newTenant();
      for (const version of [1, 2, 3, 4]) await publish(tenant, version);
      const second = await shared.secondProcess();
      const taken = await Promise.all([
        port().take(now(), { leaseMs: LEASE_MS, limit: 3 }),
        second.templateInvalidations.take(now(), { leaseMs: LEASE_MS, limit: 3 }),
      ]);
      const ids = taken.flat().map(({ id }) => id);
      expect(ids).toHaveLength(4);
      expect(new Set(ids).size).toBe(4);
      expect(await take()).toEqual([]);
    });

    test('what was delivered is not taken again, what failed is, at its time', async () => {
      await publish(await shared.newTenant());
      const taken = await takeOne();
      expect(taken.attempts).toBe(1);
      const retry = { to: 'retry', nextAttemptAt: now() + 1_000, error: 'the bus is away' } as const;
      expect(await port().finish(taken, retry)).toBe(true);
      expect(await take()).toEqual([]);
      expect(await port().nextDueAt()).toBe(now() + 1_000);
      shared.clock.nowMs += 1_000;
      const again = await takeOne();
      expect(again).toMatchObject({ id: taken.id, attempts: 2, lastError: 'the bus is away' });
      expect(await port().finish(again, { to: 'delivered', at: now() })).toBe(true);
      expect(await port().finish(again, { to: 'delivered', at: now() })).toBe(false);
      expect(await port().nextDueAt()).toBeUndefined();
    });

    test('a lease that ran out frees it, and its taker’s word counts no more', async () => {
      await publish(await shared.newTenant());
      const lost = await takeOne();
      shared.clock.nowMs += LEASE_MS - 1;
      expect(await take()).toEqual([]);
      shared.clock.nowMs += 1;
      const taken = await takeOne();
      expect(taken).toMatchObject({ id: lost.id, attempts: 2 });
      expect(await port().finish(lost, { to: 'delivered', at: now() })).toBe(false);
      expect(await port().finish(taken, { to: 'delivered', at: now() })).toBe(true);
    });

    test('a sweep removes what was delivered, and nothing that waits', async () => {
      const tenant = await shared.newTenant();
      await publish(tenant, 1);
      await port().finish(await takeOne(), { to: 'delivered', at: now() });
      await publish(tenant, 2);
      expect(await port().sweep(now() + 1, 1_000)).toBeGreaterThanOrEqual(1);
      expect(await port().sweep(now() + 1, 1_000)).toBe(0);
      expect((await port().listPending(tenant, 10)).map(({ version }) => version)).toEqual([2]);
    });

    test.each([0, 1.5, 1_001])('a limit of %d is refused', async (limit) => {
      await expect(take(limit)).rejects.toMatchObject({ code: 'invalid' });
    });
  });
}
