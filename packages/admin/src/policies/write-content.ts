import type { PolicyRuleRecord } from '@postern/db/ports';
import type { PolicyContent } from '@postern/policy';
import type { Rule } from '@postern/schemas';
import { atOnce } from '../config/at-once.ts';
import type { PolicyRecords } from '../config/current-state.ts';
import type { WriteDependencies } from '../dependencies.ts';
import type { TenantWrite } from '../tenant-write.ts';
import { canonicalText } from './policy-content.ts';

/**
 * Makes the stored rules and risk what the content says, within a transaction: rules that differ are written, rules that are not in it
 * are disabled. Nothing is written of what is so already.
 */
export async function writeContent(
  { repositories, now }: WriteDependencies,
  write: TenantWrite,
  { content, stored }: { readonly content: PolicyContent; readonly stored: Pick<PolicyRecords, 'rules' | 'risk'> },
): Promise<void> {
  const { policyRules, policySettings } = repositories;
  const { tenant, context } = write;
  const records = new Map(stored.rules.map((record) => [record.id, record]));
  const ids = new Set(content.rules.map(({ id }) => id));
  await atOnce(
    stored.rules.filter((record) => !ids.has(record.id) && isKept(record)),
    async ({ id, spec: { disabled, ...rule } }) => {
      // A rule that says of itself that it is disabled would be taken for one of the policy.
      if (disabled === true) await policyRules.updatePolicyRule(tenant, rule, {}, context);
      await policyRules.disablePolicyRule(tenant, id, now(), context);
    },
  );
  await atOnce(
    content.rules.filter((rule) => !isAsStored(rule, records.get(rule.id))),
    async (rule) => {
      if (records.has(rule.id)) await policyRules.updatePolicyRule(tenant, rule, {}, context);
      else await policyRules.createPolicyRule(tenant, rule, 'api', context);
    },
  );
  if (sameText(content.risk, stored.risk)) return;
  await policySettings.setRisk(tenant, content.risk, context);
}

/** Whether the version of the stored policy has the rule. */
function isKept({ spec, disabledAt }: PolicyRuleRecord): boolean {
  return disabledAt === undefined || spec.disabled === true;
}

function isAsStored(rule: Rule, record: PolicyRuleRecord | undefined): boolean {
  return record !== undefined && isKept(record) && sameText(rule, record.spec);
}

function sameText(left: object, right: object): boolean {
  return left === right || canonicalText(left) === canonicalText(right);
}
