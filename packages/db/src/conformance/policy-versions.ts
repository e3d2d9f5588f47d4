import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { DbContext } from '../ports/context.ts';
import type { PolicyVersionSummary } from '../ports/policy-versions.ts';
import { runInTransaction } from '../transaction.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const HASH = 'ab'.repeat(32);
const documentOf = (name: string) => `{"risk":{"deny":0.9,"review":0.5,"scorer":null},"rules":[{"id":"${name}"}]}`;

export function describePolicyVersionsPort(makeHarness: MakeDbHarness): void {
  describe('policy versions', () => {
    let harness: DbHarness;
    const within = <T>(operation: (context: DbContext) => Promise<T>) => runInTransaction(harness.client, operation);
    const draft = (name: string, tenant = 'acme') =>
      within((context) =>
        harness.repositories.policyVersions.createPolicyVersion(
          { tenant, document: documentOf(name), createdBy: 'alice' },
          context,
        ),
      );
    const activate = (id: string, ifActive?: string): Promise<PolicyVersionSummary> =>
      within((context) =>
        harness.repositories.policyVersions.activatePolicyVersion(
          'acme',
          id,
          { ifActive, policyVersion: HASH },
          context,
        ),
      );
    const statuses = async () =>
      (await harness.repositories.policyVersions.listByTenant('acme', { limit: 9 })).items.map(
        ({ number, status }) => `${number} ${status}`,
      );
    beforeEach(async () => {
      harness = await makeHarness();
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    test('a version keeps its bytes, knows their hash, and is numbered per tenant', async () => {
      const { policyVersions } = harness.repositories;
      harness.clock.nowMs = 4_000;
      const document = '{"rules":[{"id":"ö","when":"\\"\u20ac\\""}]}';
      const created = await within((context) =>
        policyVersions.createPolicyVersion({ tenant: 'acme', document, createdBy: 'alice', note: 'as asked' }, context),
      );
      expect(created).toEqual({
        tenant: 'acme',
        id: expect.any(String),
        number: 1,
        status: 'draft',
        document,
        contentHash: createHash('sha256').update(document, 'utf8').digest('hex'),
        note: 'as asked',
        createdBy: 'alice',
        createdAt: 4_000,
      });
      expect(await policyVersions.getPolicyVersion('acme', { id: created.id })).toEqual(created);
      expect(await policyVersions.getPolicyVersion('acme', { number: 1 })).toEqual(created);
      const { document: _document, ...summary } = created;
      expect(await policyVersions.getPolicyVersionSummary('acme', { number: 1 })).toEqual(summary);
      expect((await draft('b')).number).toBe(2);
      expect((await draft('b', 'beta')).number).toBe(1);
    });

    test('one is active at a time, and what it replaced is superseded and can come back', async () => {
      const { policyVersions } = harness.repositories;
      const [first, second] = [await draft('one'), await draft('two')];
      expect(await policyVersions.getPolicyVersion('acme', 'active')).toBeUndefined();
      harness.clock.nowMs = 9_000;
      expect(await activate(first.id)).toMatchObject({ status: 'active', policyVersion: HASH, activatedAt: 9_000 });
      await activate(second.id, first.id);
      expect(await statuses()).toEqual(['2 active', '1 superseded']);
      const back = await activate(first.id, second.id);
      expect(back).toMatchObject({ number: 1, status: 'active', contentHash: first.contentHash });
      expect(await statuses()).toEqual(['2 superseded', '1 active']);
      expect((await policyVersions.getPolicyVersion('acme', 'active'))?.document).toBe(first.document);
    });

    test('the version before is the one that was active last, whatever the clock says', async () => {
      const { policyVersions } = harness.repositories;
      const previous = async () => (await policyVersions.getPolicyVersionSummary('acme', 'previous'))?.number;
      const [one, two, three] = [await draft('one'), await draft('two'), await draft('three')];
      expect(await previous()).toBeUndefined();
      await activate(one.id);
      expect(await previous()).toBeUndefined();
      harness.clock.nowMs -= 60_000;
      await activate(three.id, one.id);
      expect(await previous()).toBe(1);
      await activate(two.id, three.id);
      expect(await previous()).toBe(3);
      await activate(three.id, two.id);
      expect(await previous()).toBe(2);
    });

    test('a draft remembers what was active when it was made', async () => {
      const first = await draft('one');
      expect(first).not.toHaveProperty('base');
      await activate(first.id);
      expect(await draft('two')).toMatchObject({ number: 2, base: 1 });
    });

    test('activation is refused when another one is active than was expected, and changes nothing', async () => {
      const [first, second] = [await draft('one'), await draft('two')];
      await activate(first.id);
      await expect(activate(second.id)).rejects.toMatchObject({ code: 'stale' });
      await expect(activate(second.id, second.id)).rejects.toMatchObject({ code: 'stale' });
      await expect(activate(first.id, first.id)).rejects.toMatchObject({ code: 'stale' });
      await expect(activate('none', first.id)).rejects.toMatchObject({ code: 'not_found' });
      expect(await statuses()).toEqual(['2 draft', '1 active']);
    });

    test('of two activations at once the second sees the first', async () => {
      const [first, second, third] = [await draft('one'), await draft('two'), await draft('three')];
      await activate(first.id);
      const results = await Promise.allSettled([activate(second.id, first.id), activate(third.id, first.id)]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect((await statuses()).filter((status) => status.endsWith('active'))).toHaveLength(1);
    });

    test('the store itself holds no second active version', async () => {
      const [first, second] = [await draft('one'), await draft('two')];
      await activate(first.id);
      const forced = harness.client
        .writes(INSTANCE_SCOPE)
        .updateTable('policy_versions')
        .set({ status: 'active', activated_at: 1, activation: 99 })
        .where('id', '=', second.id)
        .execute();
      await expect(forced).rejects.toMatchObject({ code: 'conflict' });
    });

    test('writes stand or fall with their transaction, and need one', async () => {
      const { policyVersions } = harness.repositories;
      const failed = within(async (context) => {
        const document = documentOf('x');
        const { id } = await policyVersions.createPolicyVersion({ tenant: 'acme', document, createdBy: 'a' }, context);
        await policyVersions.activatePolicyVersion('acme', id, { ifActive: undefined, policyVersion: HASH }, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await statuses()).toEqual([]);
      const version = { tenant: 'acme', document: documentOf('x'), createdBy: 'a' };
      await expect(policyVersions.createPolicyVersion(version, {})).rejects.toMatchObject({ code: 'invalid' });
      const options = { ifActive: undefined, policyVersion: undefined };
      await expect(policyVersions.activatePolicyVersion('acme', 'x', options, {})).rejects.toMatchObject({
        code: 'invalid',
      });
    });

    test('what the active version gives can be brought up to date, and of no other', async () => {
      const { policyVersions } = harness.repositories;
      const set = (version: string | undefined) =>
        within((context) => policyVersions.setActivePolicyVersion('acme', version, context));
      const first = await draft('one');
      expect(await set('cd'.repeat(32))).toBe(false);
      await activate(first.id);
      expect(await set('cd'.repeat(32))).toBe(true);
      expect((await policyVersions.getPolicyVersionSummary('acme', 'active'))?.policyVersion).toBe('cd'.repeat(32));
      await set(undefined);
      expect(await policyVersions.getPolicyVersionSummary('acme', 'active')).not.toHaveProperty('policyVersion');
    });

    test('a document that was changed behind the back of the store is not given out', async () => {
      const { policyVersions } = harness.repositories;
      const { id } = await draft('one');
      await harness.client
        .writes(INSTANCE_SCOPE)
        .updateTable('policy_versions')
        .set({ document: documentOf('two') })
        .execute();
      await expect(policyVersions.getPolicyVersion('acme', { id })).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('policy_versions.document'),
      });
    });

    test('the list goes from the newest, in pages, and shows the own tenant alone', async () => {
      const { policyVersions } = harness.repositories;
      for (const name of ['a', 'b', 'c']) await draft(name);
      await draft('d', 'beta');
      const { items, sizes } = await readPages((cursor) =>
        policyVersions.listByTenant('acme', { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(items.map(({ number }) => number)).toEqual([3, 2, 1]);
      expect(sizes).toEqual([2, 1]);
      expect(items[0]).not.toHaveProperty('document');
      expect(await policyVersions.getPolicyVersion('beta', { id: items[0]?.id ?? '' })).toBeUndefined();
    });

    test('a version of a tenant that is not there, or without content or maker, is refused', async () => {
      await expect(draft('a', 'nope')).rejects.toMatchObject({ code: 'not_found' });
      const { policyVersions } = harness.repositories;
      const refused = (version: { document: string; createdBy: string }) =>
        expect(
          within((context) => policyVersions.createPolicyVersion({ tenant: 'acme', ...version }, context)),
        ).rejects.toMatchObject({ code: 'invalid' });
      await refused({ document: '', createdBy: 'a' });
      await refused({ document: '{}', createdBy: '' });
    });
  });
}
