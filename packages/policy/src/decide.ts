import type { Outcome } from '@postern/schemas';
import type { ApprovalTerms } from './approval-terms.ts';
import { type Call, type Facts, readCall } from './call.ts';
import type { CompiledPolicy } from './compile-policy.ts';
import { riskOf } from './condition/condition-facts.ts';
import { evaluationOf, type Judgement, judgeRules, type RuleError, type ShadowStep } from './judge-rules.ts';
import { counterKey, type RateLimit } from './limit/rate-limit.ts';
import { asOpened } from './opening.ts';
import { highestRisk, type RiskScore } from './risk/score-risk.ts';
import type { CompiledRule } from './rule.ts';
import { candidateRules } from './rule-index.ts';
import { approvalOfAction, approvalTerms, nextThreshold, raisedByRisk, settle } from './settle.ts';
import { isUnreadable, UNREADABLE } from './unreadable.ts';
import { REASONS } from './verdict.ts';

/** The verdict on one call. */
export interface Decision {
  readonly outcome: Outcome;
  /**
   * Id of the rule that is told; `action:NAME` for an action's own `approval: required`; `risk:review` or `risk:deny` where the risk of
   * the call raised what the rules say; null when no rule decided.
   */
  readonly rule: string | null;
  /** Generic and safe to show to the agent. */
  readonly reason: string;
  /** A hard deny: no approval, grant or rule lifts it. */
  readonly hard: boolean;
  /** Ids of all matched rules, ascending; rate limits among them, rules in shadow not. */
  readonly matched: readonly string[];
  /** Rules that could not be evaluated, by id. `rule` is null where the facts themselves could not be judged. */
  readonly errors: readonly DecisionError[];
  /** The rate limits that the call must pass, by rule; each is a counter of its own, under `key`. */
  readonly limits: readonly LimitToSpend[];
  /** Rules in shadow that matched or failed, by id. They changed nothing. */
  readonly shadow: readonly ShadowStep[];
  /** The terms of the approval; undefined unless that is the outcome. */
  readonly approval: ApprovalTerms | undefined;
  /** The risk, where it was looked at: a rule reads it, or it could raise the outcome. */
  readonly risk: RiskScore | undefined;
  readonly policyVersion: string;
  /** Microseconds spent. */
  readonly micros: number;
  /** The rules looked at, by id; empty when not asked for. */
  readonly trace: readonly TraceStep[];
}

export type DecisionError = RuleError | { readonly rule: null; readonly message: string };

export interface LimitToSpend extends RateLimit {
  readonly rule: string;
  readonly key: string;
}

export interface TraceStep {
  readonly rule: string;
  readonly matched: boolean;
  readonly error?: string;
}

export interface DecideOptions {
  /** Default true. Without it nothing is allocated for rules that do not match. */
  readonly trace?: boolean;
}

const NONE: readonly never[] = Object.freeze([]);

/**
 * Judges one call: the strongest matched rule decides (hard deny > deny > require_approval > allow), no matched rule denies, the order
 * of rules never matters, and risk may raise what they come to. Facts that cannot be judged are denied. Never throws for facts of the
 * documented shape.
 */
export function decide(policy: CompiledPolicy, facts: Facts, options: DecideOptions = {}): Decision {
  const startedAt = performance.now();
  const call = readCall(facts);
  if (typeof call === 'string') return unjudged(policy, call, startedAt);
  if (isUnreadable(policy, call)) return unjudged(policy, UNREADABLE, startedAt);
  const candidates = distinct(candidateRules(policy.index, call), call);
  const judgement = judgeRules(candidates, facts, call);
  const { matched } = judgement;
  const actionRule = approvalOfAction(facts, matched);
  const written = settle(judgement.told, actionRule);
  const settled =
    written.outcome === 'require_approval' ? asOpened(written, matched, evaluationOf(judgement, facts, call)) : written;
  const isRisky = settled.outcome !== 'deny' && highestRisk(facts) >= nextThreshold(settled, policy.risk);
  if (isRisky) riskOf(evaluationOf(judgement, facts, call).facts);
  const risk = judgement.evaluation?.facts.risk;
  const verdict = isRisky && risk !== undefined ? raisedByRisk(settled, risk.most, policy.risk) : settled;
  return {
    outcome: verdict.outcome,
    rule: verdict.rule,
    reason: verdict.reason,
    hard: verdict.hard,
    matched: idsOf(matched, actionRule, verdict === settled ? null : verdict.rule),
    errors: judgement.errors === undefined ? NONE : judgement.errors.sort(byRule),
    limits: judgement.hasLimits ? limitsOf(facts, call, matched) : NONE,
    shadow: judgement.shadow === undefined ? NONE : judgement.shadow.sort(byRule),
    approval: verdict.outcome === 'require_approval' ? approvalTerms(matched) : undefined,
    risk: risk?.least,
    policyVersion: policy.version,
    micros: microsSince(startedAt),
    trace: options.trace === false ? NONE : traceOf(candidates, judgement, actionRule),
  };
}

function idsOf(matched: readonly CompiledRule[], actionRule: string | undefined, riskRule: string | null): string[] {
  const ids = matched.map((rule) => rule.id);
  if (actionRule !== undefined) ids.push(actionRule);
  if (riskRule !== null) ids.push(riskRule);
  return isAscending(ids) ? ids : ids.sort();
}

/** As almost always: the index holds rules by id. */
function isAscending(ids: readonly string[]): boolean {
  for (let position = 1; position < ids.length; position += 1) {
    if ((ids[position - 1] as string) > (ids[position] as string)) return false;
  }
  return true;
}

function limitsOf(facts: Facts, call: Call, matched: readonly CompiledRule[]): LimitToSpend[] {
  const limits: LimitToSpend[] = [];
  for (const { id, limit } of matched) {
    if (limit === undefined) continue;
    limits.push({ rule: id, ...limit, key: counterKey(facts.tenant, id, limit, call) });
    if (!limit.per.includes('action')) continue;
    // The spelling of the path must not choose the window: a call spends those of all actions that it may be.
    for (const { action } of call.otherActions) {
      limits.push({ rule: id, ...limit, key: counterKey(facts.tenant, id, limit, { ...call, action: action.name }) });
    }
  }
  return limits.sort(byRule);
}

function unjudged(policy: CompiledPolicy, message: string, startedAt: number): Decision {
  return {
    outcome: 'deny',
    rule: null,
    reason: REASONS.unjudged,
    hard: false,
    matched: NONE,
    errors: [{ rule: null, message }],
    limits: NONE,
    shadow: NONE,
    approval: undefined,
    risk: undefined,
    policyVersion: policy.version,
    micros: microsSince(startedAt),
    trace: NONE,
  };
}

/** A call may reach one rule by several keys of the index. */
function distinct(candidates: CompiledRule[], { path, readings, otherActions }: Call): CompiledRule[] {
  const isReadOnce = readings === undefined || readings.split === path;
  if (!isReadOnce || otherActions.length > 0) return [...new Set(candidates)];
  for (const rule of candidates) if (rule.mayComeTwice) return [...new Set(candidates)];
  return candidates;
}

function traceOf(
  candidates: readonly CompiledRule[],
  { matched, errors = [] }: Judgement,
  actionRule: string | undefined,
): TraceStep[] {
  const isMatched = new Set(matched);
  const messages = new Map(errors.map(({ rule, message }) => [rule, message]));
  const steps: TraceStep[] = [];
  for (const rule of candidates) {
    if (rule.isShadow) continue;
    const error = messages.get(rule.id);
    steps.push({ rule: rule.id, matched: isMatched.has(rule), ...(error === undefined ? {} : { error }) });
  }
  if (actionRule !== undefined) steps.push({ rule: actionRule, matched: true });
  return steps.sort(byRule);
}

function byRule(left: { readonly rule: string }, right: { readonly rule: string }): number {
  return left.rule < right.rule ? -1 : 1;
}

function microsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 1000);
}
