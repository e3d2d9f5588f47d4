import type { Outcome } from '@postern/schemas';
import { type Call, type Facts, readCall } from './call.ts';
import type { CompiledPolicy } from './compile-policy.ts';
import { type Decision, decide, type TraceStep } from './decide.ts';
import { type CompiledRule, type SelectingField, TIERS, uncoveredField } from './rule.ts';

/** A decision with its reasons, for people who write policy. */
export interface Explanation extends Decision {
  /** Every rule for this integration and agent, matched or not, by id. */
  readonly trace: readonly ExplainedStep[];
  /** The decision in a few sentences. Names rules: not for an agent without that right. */
  readonly summary: string;
}

export interface ExplainedStep extends TraceStep {
  readonly effect: Outcome;
  readonly hard: boolean;
  /** The first field that does not cover the call; absent when the rule matches. */
  readonly uncovered?: SelectingField;
  /** Why, in words. They tell the field, never its content. */
  readonly words: string;
}

const UNCOVERED_WORDS: Record<SelectingField, string> = {
  integrations: 'is for other integrations',
  agents: 'is for other agents',
  actions: 'is for other actions',
  methods: 'is for other methods',
  hosts: 'is for other hosts',
  paths: 'is for other paths',
};

const EFFECT_WORDS: Record<Outcome, string> = {
  allow: 'allows the call',
  require_approval: 'asks for an approval',
  deny: 'refuses the call',
};

/** Judges as `decide` does and says why. Looks at every rule: not for the path of calls. */
export function explain(policy: CompiledPolicy, facts: Facts): Explanation {
  const decision = decide(policy, facts, { trace: false });
  const call = readCall(facts);
  const trace = typeof call === 'string' ? [] : explainRules(policy.rules, call);
  const ownRule = decision.matched.find((id) => id.startsWith('action:'));
  if (ownRule !== undefined) trace.push(explainAction(ownRule));
  trace.sort((left, right) => (left.rule < right.rule ? -1 : 1));
  return { ...decision, trace, summary: summarise(decision, trace) };
}

function explainRules(rules: readonly CompiledRule[], call: Call): ExplainedStep[] {
  const steps: ExplainedStep[] = [];
  for (const rule of rules) {
    const uncovered = uncoveredField(rule, call);
    if (uncovered === 'integrations' || uncovered === 'agents') continue;
    const step = { rule: rule.id, effect: rule.effect, hard: rule.tier === TIERS.hardDeny };
    if (uncovered === undefined) steps.push({ ...step, matched: true, words: EFFECT_WORDS[rule.effect] });
    else steps.push({ ...step, matched: false, uncovered, words: UNCOVERED_WORDS[uncovered] });
  }
  return steps;
}

function explainAction(rule: string): ExplainedStep {
  const words = 'asks for an approval, as the action says, and no allow rule names the action';
  return { rule, effect: 'require_approval', hard: false, matched: true, words };
}

function summarise(decision: Decision, trace: readonly ExplainedStep[]): string {
  const sentences = [`${decision.outcome}: ${decision.reason}.`];
  for (const error of decision.errors) sentences.push(`It could not be judged: ${error.message}.`);
  if (decision.rule !== null) sentences.push(`Told is ${decision.rule}.`);
  if (decision.errors.length > 0) return sentences.join(' ');
  const matchedCount = trace.filter((step) => step.matched).length;
  sentences.push(`Of ${trace.length} rules for this agent and integration ${matchedCount} matched.`);
  for (const step of trace) sentences.push(`${step.rule} ${step.words}.`);
  return sentences.join(' ');
}
