import { TENANT_LIMITS, type TenantLimits } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import { type StoredLimit, TenantLimitReached } from '../ports/tenant-limits.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { AGENT, type DbHarness, type MakeDbHarness } from './harness.ts';
import { approvalOf } from './held-calls.ts';

const range = (length: number) => Array.from({ length }, (_, index) => index);
const ALL = Object.fromEntries(TENANT_LIMITS.map((name, place) => [name, place + 1])) as TenantLimits;

export function describeTenantLimitsPort(makeHarness: MakeDbHarness): void {
  describe('bounds of tenants', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    const limits = () => harness.repositories.tenantLimits;
    const now = () => harness.clock.nowMs;
    const set = (tenant: string, values: TenantLimits, ifVersion?: number) =>
      runInTransaction(harness.client, (context) =>
        limits().set(tenant, values, ifVersion === undefined ? {} : { ifVersion }, context),
      );
    const addAgent = (tenant: string, name: string, client = harness.client) => {
      const repositories = createDbRepositories(client, { now, newId: () => `agent-${tenant}-${name}` });
      return runInTransaction(client, async (context) => {
        await repositories.agents.create(tenant, { ...AGENT, name }, 'api', context);
        await repositories.tenantLimits.requireRoom(tenant, ['agents'], now(), context);
      });
    };
    const write = (bytes: readonly number[], tenant = 'acme') => {
      const chunks = bytes.map((length) => new Uint8Array(length).fill(1));
      return harness.repositories.sealedRequests.write({ tenant, keepUntil: now() + 9_000, isBounded: true }, chunks);
    };
    const queue = async (tenant: string, key: string, integration = 'github') => {
      const { sealedRequests, queuedCalls } = harness.repositories;
      const { id: sealedRequest } = await sealedRequests.write({ tenant, keepUntil: now() + 9_000 }, [
        new Uint8Array(9),
      ]);
      const call = { tenant, agent: 'coder', integration, sealedRequest, claimKey: key, requestId: `r-${key}` };
      return await queuedCalls.enqueue(call, now());
    };
    const used = async (tenant: string, kind: StoredLimit) => (await limits().usage(tenant, now()))[kind];

    test('there are none until somebody sets them, and all of them are replaced at once', async () => {
      expect(await limits().get('acme')).toEqual({ tenant: 'acme', limits: {}, version: 0 });
      expect(await set('acme', ALL)).toEqual({ tenant: 'acme', limits: ALL, version: 1, updatedAt: now() });
      harness.clock.nowMs += 5;
      expect(await set('acme', { agents: 7 }, 1)).toMatchObject({
        limits: { agents: 7 },
        version: 2,
        updatedAt: now(),
      });
      expect(await limits().get('acme')).toMatchObject({ limits: { agents: 7 }, version: 2 });
      expect(await limits().get('beta')).toMatchObject({ limits: {}, version: 0 });
      expect((await harness.repositories.directory.load('acme'))?.limits).toEqual({ agents: 7 });
      expect((await harness.repositories.directory.load('beta'))?.limits).toEqual({});
    });

    test('set under another version than stands there, for nobody, or as what is no count are refused', async () => {
      await expect(set('acme', {}, 1)).rejects.toMatchObject({ code: 'stale' });
      await set('acme', {}, 0);
      await expect(set('acme', {}, 0)).rejects.toMatchObject({ code: 'stale' });
      await expect(set('nobody', {})).rejects.toMatchObject({ code: 'not_found' });
      await expect(limits().set('acme', {}, {}, {})).rejects.toMatchObject({ code: 'invalid' });
      for (const max of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(set('acme', { rules: max })).rejects.toMatchObject({ code: 'invalid' });
      }
      expect(await limits().get('acme')).toMatchObject({ limits: {}, version: 1 });
    });

    test('on what is stored hold exactly, and for their tenant alone', async () => {
      await set('acme', { agents: 2 });
      await addAgent('acme', 'a');
      await addAgent('acme', 'b');
      const refused = addAgent('acme', 'c');
      await expect(refused).rejects.toBeInstanceOf(TenantLimitReached);
      await expect(refused).rejects.toMatchObject({ code: 'conflict', tenant: 'acme', limit: 'agents', max: 2 });
      expect(await used('acme', 'agents')).toBe(2);
      for (const name of ['a', 'b', 'c']) await addAgent('beta', name);
      expect(await used('beta', 'agents')).toBe(3);
    });

    test('are never exceeded by writers of several processes at once', async () => {
      await set('acme', { agents: 5 });
      const clients = [harness.client, await harness.connectAgain()];
      const tries = await Promise.allSettled(
        range(16).map((index) => addAgent('acme', `a-${index}`, clients[index % 2])),
      );
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
      expect(await used('acme', 'agents')).toBe(5);
    });

    test('below what is there take nothing away and let nothing more in', async () => {
      for (const name of ['a', 'b', 'c']) await addAgent('acme', name);
      await set('acme', { agents: 1 });
      expect(await used('acme', 'agents')).toBe(3);
      await expect(addAgent('acme', 'd')).rejects.toBeInstanceOf(TenantLimitReached);
    });

    test('on bytes of stored requests count each chunk, also of what is written at once', async () => {
      await set('acme', { sealedBytes: 1_000 });
      await write([300, 300]);
      await expect(write([300, 101])).rejects.toMatchObject({ limit: 'sealedBytes', max: 1_000 });
      expect(await used('acme', 'sealedBytes')).toBe(600);
      const tries = await Promise.allSettled(range(8).map(() => write([60, 60])));
      const kept = tries.filter(({ status }) => status === 'fulfilled').length;
      expect(kept).toBeGreaterThan(0);
      expect(await used('acme', 'sealedBytes')).toBe(600 + kept * 120);
      expect(kept).toBeLessThanOrEqual(3);
      expect((await write([5_000], 'beta')).bytes).toBe(5_000);
    });

    test('on what waits count what waits alone', async () => {
      const { approvals, policyRules, queuedCalls } = harness.repositories;
      await approvals.create(approvalOf({ fingerprint: 'a'.repeat(64) }), now());
      const rule = { id: 'r', effect: 'allow' } as const;
      await policyRules.createPolicyRule('acme', rule, 'api');
      await policyRules.createPolicyRule(GLOBAL_TENANT, rule, 'api');
      const call = await queue('acme', 'k-1');
      await queue('beta', 'k-2');
      expect(await limits().usage('acme', now())).toEqual({
        agents: 0,
        integrations: 0,
        rules: 1,
        secrets: 0,
        templates: 0,
        queuedCalls: 1,
        runningQueuedCalls: 0,
        queuedBytes: 9,
        pendingApprovals: 1,
        sealedBytes: 9,
      });
      await policyRules.disablePolicyRule('acme', 'r', now());
      await queuedCalls.cancel('acme', call?.id ?? '', { at: now(), keepUntil: now() + 1 });
      harness.clock.nowMs += 10_000_000;
      const later = await limits().usage('acme', now());
      expect(later).toMatchObject({ rules: 0, queuedCalls: 0, queuedBytes: 0, pendingApprovals: 0, sealedBytes: 9 });
    });

    test('on what runs from the queue hold over all who take', async () => {
      await set('acme', { runningQueuedCalls: 2 });
      for (const index of range(6)) await queue('acme', `k-${index}`, `api-${index}`);
      for (const index of range(3)) await queue('beta', `k-${index}`, `api-${index}`);
      const take = (limit = 100) => harness.repositories.queuedCalls.take(now(), { leaseMs: 1_000, limit });
      const taken = (await Promise.all([take(), take(), take()])).flat();
      expect(taken.filter(({ tenant }) => tenant === 'acme')).toHaveLength(2);
      expect(taken.filter(({ tenant }) => tenant === 'beta')).toHaveLength(3);
      expect(await used('acme', 'runningQueuedCalls')).toBe(2);
      const [first] = taken.filter(({ tenant }) => tenant === 'acme');
      if (first !== undefined) await harness.repositories.queuedCalls.putBack(first, now() + 60_000);
      expect(await take()).toHaveLength(1);
    });

    test('where nobody set any, tenants still take turns in the queue', async () => {
      for (const index of range(5)) await queue('acme', `k-${index}`, `api-${index}`);
      await queue('beta', 'k-6');
      const taken = await harness.repositories.queuedCalls.take(now(), { leaseMs: 1_000, limit: 3 });
      expect(taken.map(({ tenant, claimKey }) => `${tenant} ${claimKey}`)).toEqual([
        'acme k-0',
        'beta k-6',
        'acme k-1',
      ]);
    });

    test('what a disabled tenant has queued waits until it is enabled', async () => {
      const { tenants, queuedCalls } = harness.repositories;
      for (const tenant of ['acme', 'beta']) await queue(tenant, 'k-1');
      await tenants.setDisabled('acme', 5);
      const take = () => queuedCalls.take(now(), { leaseMs: 1_000, limit: 9 });
      expect((await take()).map(({ tenant }) => tenant)).toEqual(['beta']);
      await tenants.setDisabled('acme', undefined);
      expect((await take()).map(({ tenant }) => tenant)).toEqual(['acme']);
    });

    test('a tenant is disabled from a time on, and enabled again', async () => {
      const { tenants, directory } = harness.repositories;
      expect(await tenants.setDisabled('acme', 5)).toMatchObject({ name: 'acme', disabledAt: 5 });
      expect(await tenants.setDisabled('acme', 9)).toMatchObject({ disabledAt: 5 });
      expect((await directory.load('acme'))?.disabledAt).toBe(5);
      expect(await tenants.getByName('beta')).not.toHaveProperty('disabledAt');
      expect((await tenants.list({ limit: 10 })).items.map(({ disabledAt }) => disabledAt)).toEqual([5, undefined]);
      expect(await tenants.setDisabled('acme', undefined)).not.toHaveProperty('disabledAt');
      expect(await directory.load('acme')).not.toHaveProperty('disabledAt');
      for (const name of ['nobody', INSTANCE_SCOPE]) {
        await expect(tenants.setDisabled(name, 5)).rejects.toMatchObject({ code: 'not_found' });
      }
    });
  });
}
