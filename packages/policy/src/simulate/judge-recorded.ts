import type { Outcome } from '@postern/schemas';
import type { AgentSelectors } from '../agent-selectors.ts';
import { type Call, type Facts, readCall } from '../call.ts';
import type { CompiledPolicy } from '../compile-policy.ts';
import type { Condition } from '../condition/condition.ts';
import { riskOf } from '../condition/condition-facts.ts';
import { judgeCondition } from '../condition/readings-of-call.ts';
import type { Evaluation } from '../condition/term.ts';
import { UNKEPT } from '../condition/unkept.ts';
import { createEvaluation } from '../judge-rules.ts';
import { asOpened } from '../opening.ts';
import { type CompiledRule, isClosing, isTold, TIERS, uncoveredField } from '../rule.ts';
import { candidateRules } from '../rule-index.ts';
import { approvalOfAction, nextThreshold, raisedByRisk, settle } from '../settle.ts';
import { isUnreadable } from '../unreadable.ts';
import { REASONS, type Verdict } from '../verdict.ts';
import { type RecordedFacts, unkeptFacts } from './recorded-facts.ts';

/** What a policy can have said of a recorded call. */
export interface RecordedVerdict {
  /** What it says when no undetermined rule matched. */
  readonly verdict: Verdict;
  /** All outcomes it can have come to; one when it is determined. */
  readonly possible: readonly Outcome[];
  /** What could not be told, and why. By rule. */
  readonly undetermined: readonly Undetermined[];
}

/** Stands for a rule where the score could not be told. */
export const RISK = 'risk';

export interface Undetermined {
  /** Id of the rule, or `RISK`. */
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
  if (typeof call === 'string' || isUnreadable(policy, call)) {
    const verdict: Verdict = { outcome: 'deny', rule: null, reason: REASONS.unjudged, hard: false };
    return { verdict, possible: ['deny'], undetermined: [] };
  }
  const evaluation = createEvaluation(facts, call);
  const { matched, open } = sortRules(rulesFor(policy, recorded, call), recorded, call, evaluation);
  const undetermined = open.map(({ rule, message }): Undetermined => ({ rule: rule.id, message })).sort(byRule);
  const openRules = open.map(({ rule }) => rule);
  // The strongest of any set of rules is one of them, so each open rule is added alone; those that allow together, too, for each may lift
  // the approval of another action that the call may be.
  const allowing = openRules.filter(({ effect }) => effect === 'allow');
  const sets = [matched, ...openRules.map((rule) => [...matched, rule]), [...matched, ...allowing]];
  const settled = sets.flatMap((rules) => settleRules(rules, openRules, evaluation));
  const raised = settled.flatMap((verdict) => withRisk(verdict, policy, { evaluation, undetermined, recorded }));
  return {
    verdict: raised[0] as Verdict,
    possible: [...new Set(raised.map(({ outcome }) => outcome))],
    undetermined,
  };
}

/** The call as far as it is known: an agent of whom less is known has no role, and the least trust. */
function readRecordedCall(recorded: RecordedFacts): Call | string {
  const { agent } = recorded;
  const known = {
    name: agent.name,
    roles: agent.roles === UNKEPT ? [] : agent.roles,
    trust: agent.trust === UNKEPT ? 0 : agent.trust,
    environment: agent.environment === UNKEPT ? undefined : agent.environment,
  };
  return readCall({ ...recorded, agent: known } as Facts);
}

/** The index finds rules by the agent's roles, so it serves only where these are known. */
function rulesFor(policy: CompiledPolicy, { agent }: RecordedFacts, call: Call): Iterable<CompiledRule> {
  const isKnown = agent.roles !== UNKEPT && agent.trust !== UNKEPT && agent.environment !== UNKEPT;
  return isKnown ? new Set(candidateRules(policy.index, call)) : rulesOfIntegration(policy, call.integration);
}

/** By policy and integration: thousands of calls are judged by one policy. */
const BY_INTEGRATION = new WeakMap<CompiledPolicy, Map<string, readonly CompiledRule[]>>();

function rulesOfIntegration(policy: CompiledPolicy, integration: string): readonly CompiledRule[] {
  let lists = BY_INTEGRATION.get(policy);
  if (lists === undefined) {
    lists = new Map();
    BY_INTEGRATION.set(policy, lists);
  }
  let list = lists.get(integration);
  if (list === undefined) {
    list = policy.rules.filter(({ integrations }) => integrations === undefined || integrations.has(integration));
    lists.set(integration, list);
  }
  return list;
}

function sortRules(rules: Iterable<CompiledRule>, recorded: RecordedFacts, call: Call, evaluation: Evaluation): Sorted {
  const sorted: Sorted = { matched: [], open: [] };
  for (const rule of rules) {
    if (rule.isShadow || rule.tier === TIERS.rate_limit) continue;
    const cover = coverOf(rule, recorded, call);
    if (cover === 'no') continue;
    const said = rule.when === undefined ? true : judgeCondition(rule.when, evaluation, !isClosing(rule));
    if (said === false) continue;
    if (said !== true && said.kind === 'undetermined') {
      const taken = cover === 'yes' ? rule : { ...rule, agents: undefined };
      sorted.open.push({ rule: taken, message: whyOpen(rule.when, recorded, said.message) });
    } else if (said !== true && rule.effect === 'allow') continue;
    // Taken to match, it matches whoever the agent was.
    else if (cover !== 'yes') sorted.open.push({ rule: { ...rule, agents: undefined }, message: cover });
    else sorted.matched.push(rule);
  }
  return sorted;
}

/** Whether the lists of a rule cover the call; where that hangs on what was not kept of the agent, that in words. */
function coverOf(rule: CompiledRule, recorded: RecordedFacts, call: Call): string {
  const uncovered = uncoveredField(rule, call);
  if (uncovered !== 'agents') return uncovered === undefined ? 'yes' : 'no';
  const unkept = rule.agents === undefined ? [] : unkeptSelectors(rule.agents, recorded);
  if (unkept.length === 0 || uncoveredField({ ...rule, agents: undefined }, call) !== undefined) return 'no';
  return `selects agents by ${unkept.join(', ')}, not kept of this call`;
}

function unkeptSelectors({ roles, trustMin, environments }: AgentSelectors, { agent }: RecordedFacts): string[] {
  const unkept: string[] = [];
  if (agent.roles === UNKEPT && roles.size > 0) unkept.push('role');
  if (agent.trust === UNKEPT && Number.isFinite(trustMin)) unkept.push('trust');
  if (agent.environment === UNKEPT && environments.size > 0) unkept.push('environment');
  return unkept;
}

/** Names what of the condition's facts was not kept; of one of which a part was kept the fault itself has to do. */
function whyOpen(when: Condition | undefined, recorded: RecordedFacts, message: string): string {
  const unkept = unkeptFacts(recorded);
  const names = [...(when?.facts ?? [])].filter((name) => unkept.has(name));
  return names.length === 0 ? message : `reads ${names.join(', ')}, not kept of this call`;
}

function byRule(left: Undetermined, right: Undetermined): number {
  return left.rule < right.rule ? -1 : 1;
}

/** What these rules come to; where another rule may open what they close, both with and without it. */
function settleRules(
  rules: readonly CompiledRule[],
  openRules: readonly CompiledRule[],
  evaluation: Evaluation,
): readonly Verdict[] {
  const { facts, call } = evaluation.facts;
  let told: CompiledRule | undefined;
  for (const rule of rules) if (told === undefined || isTold(rule, told, call)) told = rule;
  const settled = settle(told, approvalOfAction(facts, rules));
  if (settled.outcome !== 'require_approval') return [settled];
  const opened = asOpened(settled, rules, evaluation);
  if (opened === settled || asOpened(settled, [...rules, ...openRules], evaluation) !== settled) return [opened];
  return [opened, settled];
}

interface Judged {
  readonly evaluation: Evaluation;
  readonly undetermined: Undetermined[];
  readonly recorded: RecordedFacts;
}

/** The verdict as risk leaves it: once for the least score the call can have, once for the most. */
function withRisk(
  verdict: Verdict,
  policy: CompiledPolicy,
  { evaluation, undetermined, recorded }: Judged,
): readonly Verdict[] {
  if (nextThreshold(verdict, policy.risk) > 1) return [verdict];
  const { least, most } = riskOf(evaluation.facts);
  const lower = raisedByRisk(verdict, least.score, policy.risk);
  const upper = raisedByRisk(verdict, Math.max(least.score, boundedScore(most, recorded)), policy.risk);
  if (lower.outcome === upper.outcome) return [lower];
  if (!undetermined.some(({ rule }) => rule === RISK)) {
    undetermined.push({ rule: RISK, message: 'depends on arguments that were not kept' });
  }
  // Between the two lie require_approval and nothing else.
  return [lower, raisedByRisk(verdict, policy.risk.review, policy.risk), upper];
}

/** Scores have tenths. */
function boundedScore(most: number, { risk, riskBelow }: RecordedFacts): number {
  if (risk !== UNKEPT || riskBelow === undefined) return most;
  return Math.min(most, (Math.ceil(riskBelow * 10) - 1) / 10);
}
