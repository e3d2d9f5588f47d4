import { compilePolicy, type PolicyContent, PolicyError, type PolicyIssue, policyBundle } from '@postern/policy';
import type { ValidationIssue } from '@postern/schemas';
import type { CurrentState } from '../config/current-state.ts';
import { policyStateOf, toldFault } from '../config/policy-check.ts';
import { invalid } from '../validator.ts';

/**
 * Refuses with `validation_failed` a policy that cannot be put in force as it stands: every fault with the field in `rules`, the rule's
 * id, and the position within an expression. Disabled rules are judged too, and names of agents, integrations and actions that are
 * not there are faults. `given` tells the order in which the author wrote the rules.
 */
export function checkContent(content: PolicyContent, state: CurrentState, given: PolicyContent = content): void {
  const { integrations, globalRules } = policyStateOf(state);
  const bundle = policyBundle({ integrations, globalRules, rules: content.rules, risk: content.risk });
  try {
    compilePolicy({ ...bundle, agents: state.agents });
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw invalid(cause.issues.map((issue) => placeIssue(issue, given)));
  }
}

function placeIssue(issue: PolicyIssue, { rules }: PolicyContent): ValidationIssue {
  const { ruleId, field } = issue;
  const told = toldFault(issue);
  if (ruleId === null) return { field, ...told };
  const index = rules.findIndex(({ id }) => id === ruleId);
  if (index === -1) return { field: 'rules', ...told, message: `global rule ${ruleId}: ${field} ${told.message}` };
  return { field: `rules[${index}].${field}`, rule: ruleId, ...told };
}
