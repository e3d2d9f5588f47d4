import type { Risk, Rule } from '@postern/schemas';
import { describeRule, ruleChanges } from './rule-words.ts';

/** What a version of a policy holds. */
export interface PolicyContent {
  readonly rules: readonly Rule[];
  readonly risk: Risk;
}

export const POLICY_CHANGE_OPS = ['added', 'removed', 'changed', 'disabled', 'enabled'] as const;

/** One difference of two policies, for people. */
export interface PolicyChange {
  /** Id of the rule; null for what is no rule. */
  readonly rule: string | null;
  readonly op: (typeof POLICY_CHANGE_OPS)[number];
  /** Field by field: `writes: approvers 1 → 2; paths + /x/**`. */
  readonly words: string;
}

/**
 * What `to` has that `from` has not, the risk first, then rules by id; empty where both decide alike. A rule that is switched off or on
 * and changed besides is told as `disabled` or `enabled`, with all that changed.
 */
export function diffPolicies(from: PolicyContent, to: PolicyContent): readonly PolicyChange[] {
  const [before, after] = [byId(from.rules), byId(to.rules)];
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  const rules = ids.flatMap((id) => diffRule(id, before.get(id), after.get(id)));
  return [...diffRisk(from.risk, to.risk), ...rules];
}

function byId(rules: readonly Rule[]): ReadonlyMap<string, Rule> {
  return new Map(rules.map((rule) => [rule.id, rule]));
}

function diffRule(id: string, before: Rule | undefined, after: Rule | undefined): PolicyChange[] {
  if (after === undefined) {
    return before === undefined ? [] : [{ rule: id, op: 'removed', words: `${id}: was ${describeRule(before)}` }];
  }
  if (before === undefined) return [{ rule: id, op: 'added', words: `${id}: ${describeRule(after)}` }];
  const words = ruleChanges(before, after);
  const wasOff = before.disabled === true;
  const isOff = after.disabled === true;
  if (wasOff !== isOff) {
    const op = isOff ? 'disabled' : 'enabled';
    return [{ rule: id, op, words: `${id}: ${[op, ...words].join('; ')}` }];
  }
  return words.length === 0 ? [] : [{ rule: id, op: 'changed', words: `${id}: ${words.join('; ')}` }];
}

function diffRisk(before: Risk, after: Risk): PolicyChange[] {
  const words: string[] = [];
  for (const field of ['review', 'deny'] as const) {
    if (before[field] !== after[field]) words.push(`${field} ${before[field]} → ${after[field]}`);
  }
  words.push(...diffScorer(before.scorer, after.scorer));
  return words.length === 0 ? [] : [{ rule: null, op: 'changed', words: `risk: ${words.join('; ')}` }];
}

function diffScorer(before: Risk['scorer'], after: Risk['scorer']): string[] {
  if (before === null || after === null) {
    const named = (scorer: Risk['scorer']) => (scorer === null ? 'none' : `${scorer.model} at ${scorer.baseUrl}`);
    return before === after ? [] : [`scorer ${named(before)} → ${named(after)}`];
  }
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return fields.flatMap((field) => {
    const [old, now] = [before, after].map((scorer) => JSON.stringify(scorer[field as keyof typeof scorer]));
    return old === now ? [] : [`scorer.${field} ${old ?? '(none)'} → ${now ?? '(none)'}`];
  });
}
