import type { Outcome } from '@postern/schemas';

/** What one or several rules come to. */
export interface Verdict {
  readonly outcome: Outcome;
  /** Of the rule that is told, or of what acts as one; null when nothing spoke for the call. */
  readonly rule: string | null;
  /** Generic and safe to show to the agent. */
  readonly reason: string;
  readonly hard: boolean;
}

export const REASONS = {
  allow: 'a rule allows this call',
  require_approval: 'a person must approve this call',
  deny: 'a rule refuses this call',
  hardDeny: 'a rule that nothing lifts refuses this call',
  none: 'no rule allows this call',
  riskReview: 'the risk of this call is high enough that a person must approve it',
  riskDeny: 'the risk of this call is too high',
  unjudged: 'the call could not be judged',
} as const;

/** Of a call that no rule speaks for. */
export const NOTHING_MATCHED: Verdict = { outcome: 'deny', rule: null, reason: REASONS.none, hard: false };

/** What the rule says when it is told. */
export function verdictOf(rule: string, effect: Outcome | 'rate_limit', hard: boolean): Verdict {
  if (effect === 'rate_limit') return NOTHING_MATCHED;
  return { outcome: effect, rule, reason: hard ? REASONS.hardDeny : REASONS[effect], hard };
}
