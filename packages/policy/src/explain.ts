import { type Call, type Facts, readCall } from './call.ts';
import type { CompiledPolicy } from './compile-policy.ts';
import { type Decision, decide, type TraceStep } from './decide.ts';
import { type RiskScore, scoreRisk } from './risk/score-risk.ts';
import { type CompiledRule, type Effect, type SelectingField, TIERS, uncoveredField } from './rule.ts';
import { RISK_DENY, RISK_REVIEW } from './settle.ts';

/** A decision with its reasons, for people who write policy. */
export interface Explanation extends Decision {
  readonly risk: RiskScore;
  /** Every rule for this integration and agent, matched or not, by id. */
  readonly trace: readonly ExplainedStep[];
  /** The decision in a few sentences. Names rules: not for an agent without that right. */
  readonly summary: string;
}

export interface ExplainedStep extends TraceStep {
  readonly effect: Effect;
  readonly hard: boolean;
  /** Present, and true, for a rule in shadow: `matched` tells what it would have done. */
  readonly shadow?: true;
  /** The first field that does not cover the call; absent when the rule matches, or when its condition failed. */
  readonly uncovered?: SelectingField | 'when';
  /** Why, in words. They tell the field, never its content. */
  readonly words: string;
}

const UNCOVERED_WORDS: Record<SelectingField | 'when', string> = {
  integrations: 'is for other integrations',
  agents: 'is for other agents',
  actions: 'is for other actions',
  methods: 'is for other methods',
  hosts: 'is for other hosts',
  paths: 'is for other paths',
  when: 'has a condition that is not met',
};

const EFFECT_WORDS: Record<Effect, string> = {
  allow: 'allows the call',
  require_approval: 'asks for an approval',
  deny: 'refuses the call',
  rate_limit: 'limits how often such calls pass',
};

const SHADOW_WORDS: Record<Effect, string> = {
  allow: 'is in shadow and would allow the call',
  require_approval: 'is in shadow and would ask for an approval',
  deny: 'is in shadow and would refuse the call',
  rate_limit: 'is in shadow and would limit how often such calls pass',
};

/** What acts as a rule without being written as one. */
const OWN_RULES: readonly { readonly begins: string; readonly effect: Effect; readonly words: string }[] = [
  {
    begins: 'action:',
    effect: 'require_approval',
    words: 'asks for an approval, as the action says, and no allow rule names the action',
  },
  {
    begins: RISK_REVIEW,
    effect: 'require_approval',
    words: 'asks for an approval, as risk reaches the review threshold',
  },
  { begins: RISK_DENY, effect: 'deny', words: 'refuses the call, as risk reaches the deny threshold' },
];

/** Judges as `decide` does and says why. Looks at every rule: not for the path of calls. */
export function explain(policy: CompiledPolicy, facts: Facts): Explanation {
  const decision = decide(policy, facts, { trace: false });
  const call = readCall(facts);
  const trace = typeof call === 'string' ? [] : explainRules(policy.rules, call, decision);
  for (const rule of decision.matched) {
    const own = OWN_RULES.find(({ begins }) => rule.startsWith(begins));
    if (own !== undefined) trace.push({ rule, effect: own.effect, hard: false, matched: true, words: own.words });
  }
  trace.sort((left, right) => (left.rule < right.rule ? -1 : 1));
  const risk = decision.risk ?? scoreRisk(facts);
  return { ...decision, risk, trace, summary: summarise(decision, risk, trace) };
}

function explainRules(rules: readonly CompiledRule[], call: Call, decision: Decision): ExplainedStep[] {
  const matched = new Set(decision.matched);
  for (const step of decision.shadow) if (step.matched) matched.add(step.rule);
  const errors = new Map<string, string>();
  for (const { rule, message } of decision.errors) if (rule !== null) errors.set(rule, message);
  for (const { rule, error } of decision.shadow) if (error !== undefined) errors.set(rule, error);
  const steps: ExplainedStep[] = [];
  for (const rule of rules) {
    const uncovered = uncoveredField(rule, call);
    if (uncovered === 'integrations' || uncovered === 'agents') continue;
    const error = errors.get(rule.id);
    const isMatched = uncovered === undefined && matched.has(rule.id);
    const field = uncovered ?? (isMatched || error !== undefined ? undefined : 'when');
    steps.push({
      rule: rule.id,
      effect: rule.effect,
      hard: rule.tier === TIERS.hardDeny,
      matched: isMatched,
      ...(rule.isShadow ? { shadow: true } : {}),
      ...(field === undefined ? {} : { uncovered: field }),
      ...(error === undefined ? {} : { error }),
      words: wordsFor(rule, field, isMatched, error),
    });
  }
  return steps;
}

function wordsFor(
  { effect, isShadow }: CompiledRule,
  uncovered: SelectingField | 'when' | undefined,
  isMatched: boolean,
  error: string | undefined,
): string {
  if (uncovered !== undefined) return UNCOVERED_WORDS[uncovered];
  const does = isShadow ? SHADOW_WORDS[effect] : EFFECT_WORDS[effect];
  if (error === undefined) return does;
  return isMatched
    ? `${does}, since its condition failed (${error})`
    : `counts for nothing, since its condition failed (${error})`;
}

function summarise(decision: Decision, risk: RiskScore, trace: readonly ExplainedStep[]): string {
  const sentences = [`${decision.outcome}: ${decision.reason}.`];
  const unjudged = decision.errors.filter(({ rule }) => rule === null);
  for (const error of unjudged) sentences.push(`It could not be judged: ${error.message}.`);
  if (decision.rule !== null) sentences.push(`Told is ${decision.rule}.`);
  if (unjudged.length > 0) return sentences.join(' ');
  const labels = risk.labels.length === 0 ? '' : ` (${risk.labels.join(', ')})`;
  sentences.push(`Risk is ${risk.score}${labels}.`);
  const matchedCount = trace.filter((step) => step.matched && step.shadow === undefined).length;
  sentences.push(`Of ${trace.length} rules for this agent and integration ${matchedCount} matched.`);
  for (const step of trace) sentences.push(`${step.rule} ${step.words}.`);
  return sentences.join(' ');
}
