import type { PolicyIssue } from '@postern/policy';
import { type PlacedIssue, pathOfField } from '../validation/check-shape.ts';
import type { CurrentState } from './current-state.ts';
import { judgePolicy, policyStateOf, toldFault } from './policy-check.ts';
import type { ResolvedDocument } from './resolved-document.ts';

export interface PolicyChange {
  /** Faults that the change brings. */
  readonly issues: readonly PlacedIssue[];
  /** Faults that were there before, such as a rule that names an agent which was removed. */
  readonly warnings: readonly PlacedIssue[];
  /** The version in force before, and the one that will be; undefined where that cannot be compiled. */
  readonly was: string | undefined;
  readonly will: string | undefined;
}

/** Compiles the policy as it was and as it will be, references included. */
export function judgePolicyChange(document: ResolvedDocument, before: CurrentState, after: CurrentState): PolicyChange {
  const was = judgePolicy(policyStateOf(before), before.agents);
  const will = judgePolicy(policyStateOf(after), after.agents);
  const known = new Set(was.issues.map((issue) => JSON.stringify(issue)));
  const issues = will.issues.filter((issue) => !known.has(JSON.stringify(issue)));
  const warnings = will.issues.filter((issue) => known.has(JSON.stringify(issue)));
  return {
    issues: issues.map((issue) => placeIssue(issue, document)),
    warnings: warnings.map((issue) => placeIssue(issue, document)),
    was: was.version,
    will: will.version,
  };
}

/** Where in the document the rule at fault stands; a rule that it does not hold is told by its id. */
function placeIssue(issue: PolicyIssue, document: ResolvedDocument): PlacedIssue {
  const { ruleId, field } = issue;
  const told = toldFault(issue);
  if (ruleId === null) return { path: pathOfField(field), ...told };
  const index = document.rules?.findIndex(({ id }) => id === ruleId) ?? -1;
  if (index >= 0) return { path: ['rules', index, ...pathOfField(field)], ...told };
  const globalIndex = document.globalRules?.findIndex(({ id }) => id === ruleId) ?? -1;
  if (globalIndex >= 0) return { path: ['global', 'rules', globalIndex, ...pathOfField(field)], ...told };
  return {
    path: ['rules'],
    ...told,
    message: `rule ${ruleId}, which is not of this document: ${field} ${told.message}`,
  };
}
