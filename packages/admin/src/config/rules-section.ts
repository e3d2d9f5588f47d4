import { GLOBAL_TENANT, type PolicyRuleRecord } from '@postern/db/ports';
import type { Rule } from '@postern/schemas';
import type { WriteDependencies } from '../dependencies.ts';
import type { TenantWrite } from '../tenant-write.ts';
import type { PlannedWrite } from './change.ts';
import { compactRule } from './compact.ts';
import { compareSection } from './compare-section.ts';

/**
 * Plans one list of rules: the tenant's (`rule`) or that over all tenants (`global_rule`). Rules are never deleted: one that the document
 * no longer names is disabled, and a later document that names it again enables it.
 */
export function planRules(
  { repositories: { policyRules }, now }: WriteDependencies,
  wanted: readonly Rule[] | undefined,
  stored: readonly PolicyRuleRecord[],
  kind: 'rule' | 'global_rule',
): readonly PlannedWrite[] {
  if (wanted === undefined) return [];
  const existing = stored.map((record) => {
    return {
      name: record.id,
      spec: comparedForm(record.spec, record.disabledAt !== undefined),
      origin: record.origin,
      record,
    };
  });
  const named = wanted.map((rule) => ({ name: rule.id, spec: comparedForm(rule, rule.disabled === true) }));
  const { creations, matches, removals } = compareSection(named, existing, { kind, compact: compactRule });
  const ownerOf = (write: TenantWrite) => {
    if (kind === 'rule') return write.tenant;
    write.stampEveryTenant();
    return GLOBAL_TENANT;
  };
  const subjectOf = (id: string) => `${kind === 'rule' ? 'rule' : 'global-rule'}:${id}`;

  return [
    ...removals
      .filter((removal) => removal.stored.record.disabledAt === undefined)
      .map(
        ({ stored: { name }, change }): PlannedWrite => ({
          change,
          async run(write) {
            await policyRules.disablePolicyRule(ownerOf(write), name, now(), write.context);
            await write.record('admin.removed', subjectOf(name));
          },
        }),
      ),
    ...creations.map(
      ({ spec, change }): PlannedWrite => ({
        change,
        async run(write) {
          await policyRules.createPolicyRule(ownerOf(write), storedForm(spec), 'config', write.context);
          await write.record('admin.created', subjectOf(spec.id));
        },
      }),
    ),
    ...matches
      .filter((match) => match.change !== undefined || match.stored.origin !== 'config')
      .map(
        ({ spec, change }): PlannedWrite => ({
          ...(change === undefined ? {} : { change }),
          async run(write) {
            const options = { origin: 'config' } as const;
            await policyRules.updatePolicyRule(ownerOf(write), storedForm(spec), options, write.context);
            if (change !== undefined) await write.record('admin.updated', subjectOf(spec.id));
          },
        }),
      ),
  ];
}

/** The form in which `disabled` always stands, so that a rule switched off in the store differs from one the document wants on. */
function comparedForm({ disabled: _disabled, ...rule }: Rule, isDisabled: boolean): Rule {
  return { ...rule, disabled: isDisabled };
}

/** `disabled: false` says nothing and would only make another policy version. */
export function storedForm({ disabled, ...rule }: Rule): Rule {
  return disabled === true ? { ...rule, disabled } : rule;
}
