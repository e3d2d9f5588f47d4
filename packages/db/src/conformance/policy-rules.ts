import type { Rule } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const READS: Rule = { id: 'reads', effect: 'allow', agents: ['coder'], methods: ['GET', 'HEAD'] };

export function describePolicyRulesPort(makeHarness: MakeDbHarness): void {
  describe('policy rules', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
    });
    afterEach(() => harness.close());

    test('a created rule keeps all its members, and its id is taken once, disabled or not', async () => {
      const { policyRules } = harness.repositories;
      const created = await policyRules.createPolicyRule('acme', READS, 'config');
      expect(created).toMatchObject({ tenant: 'acme', id: 'reads', spec: READS, origin: 'config', version: 1 });
      expect(created).not.toHaveProperty('disabledAt');
      expect(await policyRules.getPolicyRuleById('acme', 'reads')).toEqual(created);
      await policyRules.disablePolicyRule('acme', 'reads', 5_000);
      const refused = policyRules.createPolicyRule('acme', READS, 'api');
      await expect(refused).rejects.toMatchObject({ code: 'conflict' });
    });

    test('a rule is disabled once, and an update enables it again', async () => {
      const { policyRules } = harness.repositories;
      await policyRules.createPolicyRule('acme', READS, 'api');
      expect(await policyRules.disablePolicyRule('acme', 'reads', 5_000)).toBe(true);
      expect(await policyRules.disablePolicyRule('acme', 'reads', 6_000)).toBe(false);
      expect(await policyRules.disablePolicyRule('acme', 'none', 6_000)).toBe(false);
      expect(await policyRules.getPolicyRuleById('acme', 'reads')).toMatchObject({ disabledAt: 5_000, version: 2 });
      const updated = await policyRules.updatePolicyRule('acme', { ...READS, effect: 'deny' }, { ifVersion: 2 });
      expect(updated).toMatchObject({ spec: { effect: 'deny' }, version: 3 });
      expect(updated).not.toHaveProperty('disabledAt');
    });

    test('a rule that says of itself that it is disabled is', async () => {
      const { policyRules } = harness.repositories;
      harness.clock.nowMs = 3_000;
      const created = await policyRules.createPolicyRule('acme', { ...READS, disabled: true }, 'api');
      expect(created.disabledAt).toBe(3_000);
    });

    test('an update is refused for an old version and for a rule that is not there', async () => {
      const { policyRules } = harness.repositories;
      await policyRules.createPolicyRule('acme', READS, 'api');
      await policyRules.updatePolicyRule('acme', READS, {});
      const stale = policyRules.updatePolicyRule('acme', READS, { ifVersion: 1 });
      await expect(stale).rejects.toMatchObject({ code: 'stale' });
      const missing = policyRules.updatePolicyRule('acme', { ...READS, id: 'none' }, {});
      await expect(missing).rejects.toMatchObject({ code: 'not_found' });
    });

    test('global rules stand apart from those of tenants', async () => {
      const { policyRules } = harness.repositories;
      await policyRules.createPolicyRule(GLOBAL_TENANT, READS, 'config');
      expect(await policyRules.getPolicyRuleById('acme', 'reads')).toBeUndefined();
      expect((await policyRules.listByTenant(GLOBAL_TENANT, { limit: 5 })).items).toHaveLength(1);
    });

    test('the list goes by id, in pages, and shows disabled rules too', async () => {
      const { policyRules } = harness.repositories;
      for (const id of ['c', 'a', 'b']) await policyRules.createPolicyRule('acme', { ...READS, id }, 'api');
      await policyRules.disablePolicyRule('acme', 'b', 1_000);
      const { items } = await readPages((cursor) =>
        policyRules.listByTenant('acme', { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(items.map((rule) => rule.id)).toEqual(['a', 'b', 'c']);
    });

    test('a rule of a tenant that is not there is refused', async () => {
      const refused = harness.repositories.policyRules.createPolicyRule('nope', READS, 'api');
      await expect(refused).rejects.toMatchObject({ code: 'not_found' });
    });
  });
}
