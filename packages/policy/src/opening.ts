import { type Facts, readingsOf } from './call.ts';
import { judgeCondition } from './condition/readings-of-call.ts';
import type { Evaluation } from './condition/term.ts';
import { type CompiledRule, TIERS, uncoveredField } from './rule.ts';
import { asksApproval } from './settle.ts';
import { NOTHING_MATCHED, type Verdict } from './verdict.ts';

/**
 * A rule that asks for an approval closes what another allows, and opens what nothing allows. What matched only by another reading of
 * the path may close; it opens nothing, or a spelling that no rule speaks for could get a person to let it through.
 */
export function asOpened(verdict: Verdict, matched: readonly CompiledRule[], at: Evaluation): Verdict {
  for (const rule of matched) {
    if (rule.tier === TIERS.allow || (rule.tier === TIERS.require_approval && opens(rule, at))) return verdict;
  }
  return actionOpens(at.facts.facts) ? verdict : NOTHING_MATCHED;
}

function opens(rule: CompiledRule, at: Evaluation): boolean {
  const { call } = at.facts;
  if (uncoveredField(rule, call, true) !== undefined) return false;
  if (rule.when === undefined) return true;
  const said = judgeCondition(rule.when, at, true);
  // A condition that fails counts, but for one that fails because nobody can read the path.
  return said === true || (said !== false && !readingsOf(call).isUnreadable);
}

/** Whatever an upstream is likely to take the call for asks for an approval. */
function actionOpens({ action, otherActions = [] }: Facts): boolean {
  if (action === undefined || !asksApproval(action, [])) return false;
  return otherActions.every((other) => other.isBySplit || asksApproval(other.action, []));
}
