import type { PolicyRuleRecord } from '@postern/db/ports';
import { compilePolicy, PolicyError, type PolicyIssue } from '@postern/policy';
import type { Integration, Rule, ValidationIssue } from '@postern/schemas';
import type { PolicyRecords } from './current-state.ts';

/** What decides a tenant's calls: rules in force, global rules in force, the integrations they speak of. */
export interface PolicyState {
  readonly integrations: readonly Integration[];
  readonly rules: readonly Rule[];
  readonly globalRules: readonly Rule[];
}

export function policyStateOf({ integrations, rules, globalRules }: PolicyRecords): PolicyState {
  const inForce = (records: readonly PolicyRuleRecord[]) => {
    return records.filter(({ disabledAt }) => disabledAt === undefined).map(({ spec }) => spec);
  };
  return {
    integrations: integrations.map(({ spec }) => spec),
    rules: inForce(rules),
    globalRules: inForce(globalRules),
  };
}

/**
 * The version of the policy, computed as the data plane does, or the faults for which it could not be compiled. `agents`, where given,
 * has references checked too.
 */
export function judgePolicy(
  state: PolicyState,
  agents?: readonly { readonly name: string }[],
): { readonly version: string | undefined; readonly issues: readonly PolicyIssue[] } {
  const { integrations, rules, globalRules } = state;
  const bundle = { integrations, rules, global: { rules: globalRules } };
  try {
    const { version } = compilePolicy(bundle, { checkReferences: false, checkPhases: true });
    if (agents !== undefined) compilePolicy({ ...bundle, agents });
    return { version, issues: [] };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return { version: undefined, issues: cause.issues };
  }
}

/** What is told of a fault beside its place; of one within an expression, where. The message tells it too, for people read that alone. */
export function toldFault({ ruleId, position, message }: PolicyIssue): Omit<ValidationIssue, 'field' | 'line'> {
  if (position === undefined) return { message };
  const rule = ruleId === null ? {} : { rule: ruleId };
  return { message: `${message} (at character ${position})`, ...rule, position };
}
