import { type ApprovalTerms, DEFAULT_APPROVAL, strictestTerms } from './approval-terms.ts';
import type { ActionFacts, Facts } from './call.ts';
import type { RiskThresholds } from './risk/risk-thresholds.ts';
import { type CompiledRule, TIERS } from './rule.ts';
import { NOTHING_MATCHED, REASONS, type Verdict } from './verdict.ts';

/** As what risk acts when it raises an outcome. No rule has such an id. */
export const RISK_REVIEW = 'risk:review';
export const RISK_DENY = 'risk:deny';

/** The lattice: the told rule, or the action's own approval where that is stronger. `told` is undefined when no rule matched. */
export function settle(told: CompiledRule | undefined, actionRule: string | undefined): Verdict {
  if (actionRule !== undefined && (told === undefined || told.tier < TIERS.require_approval)) {
    return { outcome: 'require_approval', rule: actionRule, reason: REASONS.require_approval, hard: false };
  }
  return told === undefined ? NOTHING_MATCHED : told.verdict;
}

/** `verdict`, raised where `score` reaches a threshold; never lowered. */
export function raisedByRisk(verdict: Verdict, score: number, { review, deny }: RiskThresholds): Verdict {
  if (verdict.outcome === 'deny') return verdict;
  if (score >= deny) return { outcome: 'deny', rule: RISK_DENY, reason: REASONS.riskDeny, hard: false };
  if (verdict.outcome !== 'allow' || score < review) return verdict;
  return { outcome: 'require_approval', rule: RISK_REVIEW, reason: REASONS.riskReview, hard: false };
}

/** From which score risk would change the verdict; Infinity when none would. */
export function nextThreshold({ outcome }: Verdict, { review, deny }: RiskThresholds): number {
  switch (outcome) {
    case 'allow':
      return Math.min(review, deny);
    case 'require_approval':
      return deny;
    case 'deny':
      return Number.POSITIVE_INFINITY;
  }
}

/**
 * The id under which an action's own `approval: required` acts as a rule, or undefined. A matched allow rule that names the action
 * lifts it; one for other calls, or one that allows the action without naming it, does not. Another action that the call may be asks for
 * its own.
 */
export function approvalOfAction(
  { action, otherActions }: Facts,
  matched: readonly CompiledRule[],
): string | undefined {
  if (action !== undefined && asksApproval(action, matched)) return `action:${action.name}`;
  const other = otherActions?.find((possible) => asksApproval(possible.action, matched));
  return other === undefined ? undefined : `action:${other.action.name}`;
}

/** Whether the action asks for an approval that no matched rule lifts. */
export function asksApproval({ name, approval }: ActionFacts, matched: readonly CompiledRule[]): boolean {
  if (approval === undefined || approval === 'none') return false;
  for (const rule of matched) if (rule.effect === 'allow' && rule.actions?.has(name) === true) return false;
  return true;
}

/** The terms of an approval that all matched rules agree to. */
export function approvalTerms(matched: readonly CompiledRule[]): ApprovalTerms {
  const asking = matched.filter((rule) => rule.effect === 'require_approval');
  return strictestTerms(asking.map((rule) => rule.approval ?? DEFAULT_APPROVAL));
}
