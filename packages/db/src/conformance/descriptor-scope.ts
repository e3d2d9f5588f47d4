import { type Rule, ruleSchema } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import type { MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

/** What is left out is decided in `descriptor-scope.ts`, and tested against the policy there; here it is what the store tells. */
export function describeDescriptorScope(makeHarness: MakeDbHarness): void {
  describe('rules for the scope of a descriptor', () => {
    const shared = shareHarness(makeHarness);
    const rules = () => shared.repositories.policyRules;
    const ruleOf = (id: string, change: Partial<Rule> = {}): Rule =>
      ruleSchema.parse({ id, effect: 'allow', ...change });

    test('are the enabled ones of the tenant that could match, with the global ones, in a fixed order', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      const create = (owner: string, rule: Rule) => rules().createPolicyRule(owner, rule, 'api');
      await create(tenant, ruleOf('b-here', { integrations: ['github'] }));
      await create(tenant, ruleOf('a-any'));
      await create(tenant, ruleOf('elsewhere', { integrations: ['slack'] }));
      await create(tenant, ruleOf('off', { disabled: true }));
      await create(tenant, ruleOf('off-later'));
      await rules().disablePolicyRule(tenant, 'off-later', 5);
      await create(other, ruleOf('foreign'));
      await create(GLOBAL_TENANT, ruleOf('global-deny', { effect: 'deny', hard: true, paths: ['/admin/**'] }));
      const scope = { agent: { name: 'coder' }, integration: 'github', method: 'GET' };
      const ids = async (owner: string) =>
        (await rules().listPolicyRulesForDescriptorScope(owner, scope)).map(
          ({ tenant: of, spec }) => `${of} ${spec.id}`,
        );
      expect(await ids(tenant)).toEqual(['* global-deny', `${tenant} a-any`, `${tenant} b-here`]);
      expect(await ids(other)).toEqual(['* global-deny', `${other} foreign`]);
      await expect(rules().listPolicyRulesForDescriptorScope('', scope)).rejects.toMatchObject({ code: 'invalid' });
    });

    test('are read in the transaction that wrote them', async () => {
      const tenant = await shared.newTenant();
      await shared.within(async (context) => {
        await rules().createPolicyRule(tenant, ruleOf('mine'), 'api', context);
        const told = await rules().listPolicyRulesForDescriptorScope(tenant, {}, context);
        expect(told.map(({ id }) => id)).toContain('mine');
      });
    });
  });
}
