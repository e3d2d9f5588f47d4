import type { Outcome } from '@postern/schemas';
import { type AgentSelectors, matchesAgent } from '../agent-selectors.ts';
import { type Call, type Facts, readCall } from '../call.ts';
import type { CompiledPolicy } from '../compile-policy.ts';
import { evaluateCondition } from '../condition/condition.ts';
import { riskOf } from '../condition/condition-facts.ts';
import type { Evaluation } from '../condition/term.ts';
import { UNKEPT } from '../condition/unkept.ts';
import { createEvaluation } from '../judge-rules.ts';
import { type CompiledRule, isTold, TIERS, uncoveredField } from '../rule.ts';
import { approvalOfAction, nextThreshold, raisedByRisk, settle } from '../settle.ts';
import { REASONS, type Verdict } from '../verdict.ts';
import type { RecordedFacts } from './recorded-facts.ts';

/** What a policy can have said of a recorded call. */
export interface RecordedVerdict {
  /** What it says when no undetermined rule matched. */
  readonly verdict: Verdict;
  /** All outcomes it can have come to; one when it is determined. */
  readonly possible: readonly Outcome[];
  /** What could not be told, and why. */
  readonly undetermined: readonly Undetermined[];
}

export interface Undetermined {
  /** Id of the rule; `risk` where the score could not be told. */
  readonly rule: string;
  readonly message: string;
}

interface Sorted {
  readonly matched: CompiledRule[];
  readonly open: { readonly rule: CompiledRule; readonly message: string }[];
}

/**
 * Judges a recorded call. A rule that reads what was not kept may have matched or not; where both come to the same outcome, because a
 * stronger rule decides, the outcome is determined all the same.
 */
export function judgeRecorded(policy: CompiledPolicy, recorded: RecordedFacts): RecordedVerdict {
  const facts = recorded as Facts;
  const call = readRecordedCall(recorded);
  if (typeof call === 'string') {
    const verdict: Verdict = { outcome: 'deny', rule: null, reason: REASONS.unjudged, hard: false };
    return { verdict, possible: ['deny'], undetermined: [] };
  }
  const evaluation = createEvaluation(facts, call);
  const { matched, open } = sortRules(policy.rules, recorded, call, evaluation);
  const undetermined = open.map(({ rule, message }): Undetermined => ({ rule: rule.id, message }));
  // The strongest of any set of rules is one of them, so each open rule is added alone.
  const settled = [matched, ...open.map(({ rule }) => [...matched, rule])].map((rules) =>
    settleRules(rules, facts, call),
  );
  const raised = settled.flatMap((verdict) => withRisk(verdict, policy, evaluation, undetermined));
  return {
    verdict: raised[0] as Verdict,
    possible: [...new Set(raised.map(({ outcome }) => outcome))],
    undetermined,
  };
}

function readRecordedCall(recorded: RecordedFacts): Call | string {
  const { agent } = recorded;
  const known = {
    ...agent,
    roles: agent.roles === UNKEPT ? [] : agent.roles,
    trust: agent.trust === UNKEPT ? 0 : agent.trust,
  };
  return readCall({ ...recorded, agent: known } as Facts);
}

function sortRules(
  rules: readonly CompiledRule[],
  recorded: RecordedFacts,
  call: Call,
  evaluation: Evaluation,
): Sorted {
  const sorted: Sorted = { matched: [], open: [] };
  for (const rule of rules) {
    if (rule.isShadow || rule.tier === TIERS.rate_limit) continue;
    const cover = agentCover(rule.agents, recorded);
    if (
      cover === 'no' ||
      uncoveredField(rule.agents === undefined ? rule : { ...rule, agents: undefined }, call) !== undefined
    ) {
      continue;
    }
    const said = rule.when === undefined ? true : evaluateCondition(rule.when, evaluation);
    if (said === false) continue;
    if (said !== true && said.kind === 'undetermined') sorted.open.push({ rule, message: said.message });
    else if (said !== true && rule.effect === 'allow') continue;
    else if (cover === 'open') sorted.open.push({ rule, message: 'selects agents by what was not kept' });
    else sorted.matched.push(rule);
  }
  return sorted;
}

/** Whether the `agents` of a rule cover the agent; `open` where that hangs on what was not kept. */
function agentCover(selectors: AgentSelectors | undefined, { agent }: RecordedFacts): 'yes' | 'no' | 'open' {
  if (selectors === undefined) return 'yes';
  const { roles, trust, environment } = agent;
  const known = {
    name: agent.name,
    roles: roles === UNKEPT ? [] : roles,
    trust: trust === UNKEPT ? Number.NaN : trust,
    environment: environment === UNKEPT ? undefined : environment,
  };
  if (matchesAgent(selectors, known)) return 'yes';
  const isOpen =
    (roles === UNKEPT && selectors.roles.size > 0) ||
    (trust === UNKEPT && Number.isFinite(selectors.trustMin)) ||
    (environment === UNKEPT && selectors.environments.size > 0);
  return isOpen ? 'open' : 'no';
}

function settleRules(rules: readonly CompiledRule[], facts: Facts, call: Call): Verdict {
  let told: CompiledRule | undefined;
  for (const rule of rules) if (told === undefined || isTold(rule, told, call.path)) told = rule;
  return settle(told, approvalOfAction(facts, rules));
}

/** The verdict as risk leaves it: once for the least score the call can have, once for the most. */
function withRisk(
  verdict: Verdict,
  policy: CompiledPolicy,
  evaluation: Evaluation,
  undetermined: Undetermined[],
): readonly Verdict[] {
  if (nextThreshold(verdict, policy.risk) > 1) return [verdict];
  const { least, most } = riskOf(evaluation.facts);
  const lower = raisedByRisk(verdict, least.score, policy.risk);
  const upper = raisedByRisk(verdict, most, policy.risk);
  if (lower.outcome === upper.outcome) return [lower];
  if (!undetermined.some(({ rule }) => rule === 'risk')) {
    undetermined.push({ rule: 'risk', message: 'depends on arguments that were not kept' });
  }
  // Between the two lie require_approval and nothing else.
  return [lower, raisedByRisk(verdict, policy.risk.review, policy.risk), upper];
}
