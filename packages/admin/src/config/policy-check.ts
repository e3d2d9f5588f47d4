import type { PolicyRuleRecord } from '@postern/db/ports';
import { compilePolicy, PolicyError, type PolicyIssue, type PolicyParts, policyBundle } from '@postern/policy';
import type { ValidationIssue } from '@postern/schemas';
import { effectiveIntegration, policyForm } from '@postern/templates';
import type { PolicyRecords } from './current-state.ts';

/** What decides a tenant's calls: rules in force, global rules in force, the integrations they speak of, risk. */
export function policyStateOf({ integrations, rules, globalRules, risk, findTemplate }: PolicyRecords): PolicyParts {
  const inForce = (records: readonly PolicyRuleRecord[]) => {
    return records.filter(({ disabledAt }) => disabledAt === undefined).map(({ spec }) => spec);
  };
  return {
    integrations: integrations.map(({ spec }) => policyForm(effectiveIntegration(spec, findTemplate))),
    rules: inForce(rules),
    globalRules: inForce(globalRules),
    risk,
  };
}

/**
 * The version of the policy, computed as the data plane does, or the faults for which it could not be compiled. `agents`, where given,
 * has references checked too.
 */
export function judgePolicy(
  state: PolicyParts,
  agents?: readonly { readonly name: string }[],
): { readonly version: string | undefined; readonly issues: readonly PolicyIssue[] } {
  const bundle = policyBundle(state);
  try {
    const { version } = compilePolicy(bundle, { checkReferences: false, checkPhases: true });
    if (agents !== undefined) compilePolicy({ ...bundle, agents });
    return { version, issues: [] };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return { version: undefined, issues: cause.issues };
  }
}

/** What is told of a fault beside its place: the rule, and where within an expression. The message tells that too, for people read it alone. */
export function toldFault({ ruleId, position, message }: PolicyIssue): Omit<ValidationIssue, 'field' | 'line'> {
  const rule = ruleId === null ? {} : { rule: ruleId };
  if (position === undefined) return { message, ...rule };
  return { message: `${message} (at character ${position})`, ...rule, position };
}
