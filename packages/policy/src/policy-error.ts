/**
 * One fault of a bundle: which rule, which field, what was wrong and what would be right.
 *
 * `ruleId` is null where the fault is not inside a rule with a usable id; `field` then begins with the bundle's member
 * (`rules[3].id`). `position` counts characters from 0 within an expression.
 */
export interface PolicyIssue {
  readonly ruleId: string | null;
  readonly field: string;
  readonly position?: number;
  readonly message: string;
}

/** A bundle that is refused as a whole. `issues` holds every fault found, in the order of the bundle; never empty. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly issues: readonly PolicyIssue[];

  constructor(issues: readonly PolicyIssue[]) {
    super(issues.map(describeIssue).join('; '));
    this.issues = issues;
  }
}

function describeIssue(issue: PolicyIssue): string {
  const place = issue.ruleId === null ? issue.field : `rule ${issue.ruleId}: ${issue.field}`;
  const position = issue.position === undefined ? '' : ` at ${issue.position}`;
  return `${place}${position} ${issue.message}`;
}
