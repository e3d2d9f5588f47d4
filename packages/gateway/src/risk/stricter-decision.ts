import { type ApprovalTerms, type Decision, type LimitToSpend, strictestTerms } from '@postern/policy';

/**
 * What holds where both hold: the stronger outcome, the limits of both, and terms of an approval that satisfy both. A scorer's word can so
 * only tighten: a condition may say `risk.score < 0.3`, and what it opens or asks for stands though the score has risen since.
 *
 * `heuristic` was made without the scorer, `scored` of the same call by the same policy with it.
 */
export function stricterDecision(heuristic: Decision, scored: Decision): Decision {
  const told = strengthOf(scored) >= strengthOf(heuristic) ? scored : heuristic;
  return {
    ...told,
    matched: [...new Set([...heuristic.matched, ...scored.matched])].sort(),
    errors: distinctBy([...heuristic.errors, ...scored.errors], ({ rule, message }) => `${rule} ${message}`),
    limits: distinctBy([...heuristic.limits, ...scored.limits], ({ rule }: LimitToSpend) => rule),
    shadow: distinctBy([...heuristic.shadow, ...scored.shadow], ({ rule, matched }) => `${rule} ${matched}`),
    approval: told.outcome === 'require_approval' ? termsOfBoth(heuristic, scored) : undefined,
    // The score that counted, whichever of them is told.
    risk: scored.risk,
    micros: heuristic.micros + scored.micros,
  };
}

function strengthOf({ outcome, hard }: Decision): number {
  switch (outcome) {
    case 'allow':
      return 0;
    case 'require_approval':
      return 1;
    case 'deny':
      return hard ? 3 : 2;
  }
}

/** Of decisions that ask for one; what allows the call has no terms. */
function termsOfBoth(heuristic: Decision, scored: Decision): ApprovalTerms {
  return strictestTerms([heuristic.approval, scored.approval].filter((terms) => terms !== undefined));
}

/** The first of each, by rule. */
function distinctBy<T extends { readonly rule: string | null }>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const byKey = new Map<string, T>();
  for (const item of items) if (!byKey.has(keyOf(item))) byKey.set(keyOf(item), item);
  return [...byKey.values()].sort((left, right) => ((left.rule ?? '') < (right.rule ?? '') ? -1 : 1));
}
