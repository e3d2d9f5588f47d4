import type { Outcome } from '@postern/schemas';
import { type Call, type Facts, readCall } from './call.ts';
import type { CompiledPolicy } from './compile-policy.ts';
import { type CompiledRule, isTold, TIERS, uncoveredField } from './rule.ts';
import { candidateRules } from './rule-index.ts';

/** The verdict on one call. */
export interface Decision {
  readonly outcome: Outcome;
  /** Id of the rule that is told; `action:NAME` for an action's own `approval: required`; null when no rule decided. */
  readonly rule: string | null;
  /** Generic and safe to show to the agent. */
  readonly reason: string;
  /** A hard deny: no approval, grant or rule lifts it. */
  readonly hard: boolean;
  /** Ids of all matched rules, ascending. */
  readonly matched: readonly string[];
  /** `rule` is null where the facts themselves could not be judged. */
  readonly errors: readonly DecisionError[];
  readonly policyVersion: string;
  /** Microseconds spent. */
  readonly micros: number;
  /** The rules looked at, by id; empty when not asked for. */
  readonly trace: readonly TraceStep[];
}

export interface DecisionError {
  readonly rule: string | null;
  readonly message: string;
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

export const REASONS = {
  allow: 'a rule allows this call',
  require_approval: 'a person must approve this call',
  deny: 'a rule refuses this call',
  hardDeny: 'a rule that nothing lifts refuses this call',
  none: 'no rule allows this call',
  unjudged: 'the call could not be judged',
} as const;

const NONE: readonly never[] = Object.freeze([]);

/**
 * Judges one call: the strongest matched rule decides (hard deny > deny > require_approval > allow), no matched rule denies, and the
 * order of rules never matters. Facts that cannot be judged are denied. Never throws for facts of the documented shape.
 */
export function decide(policy: CompiledPolicy, facts: Facts, options: DecideOptions = {}): Decision {
  const startedAt = performance.now();
  const call = readCall(facts);
  if (typeof call === 'string') return unjudged(policy, call, startedAt);
  const candidates = distinct(candidateRules(policy.index, call));
  const matched: CompiledRule[] = [];
  let told: CompiledRule | undefined;
  for (const rule of candidates) {
    if (uncoveredField(rule, call) !== undefined) continue;
    matched.push(rule);
    if (told === undefined || isTold(rule, told, call.path)) told = rule;
  }
  const actionRule = approvalOfAction(facts, matched);
  const isActionTold = actionRule !== undefined && (told === undefined || told.tier < TIERS.require_approval);
  const ids = matched.map((rule) => rule.id);
  if (actionRule !== undefined) ids.push(actionRule);
  return {
    outcome: isActionTold ? 'require_approval' : (told?.effect ?? 'deny'),
    rule: isActionTold ? actionRule : (told?.id ?? null),
    reason: isActionTold ? REASONS.require_approval : reasonOf(told),
    hard: told?.tier === TIERS.hardDeny,
    matched: ids.length > 1 ? ids.sort() : ids,
    errors: NONE,
    policyVersion: policy.version,
    micros: microsSince(startedAt),
    trace: options.trace === false ? NONE : traceOf(candidates, call, actionRule),
  };
}

/**
 * The id under which an action's own `approval: required` acts as a rule, or undefined. A matched allow rule that names the action
 * lifts it; one for other calls, or one that allows the action without naming it, does not.
 */
function approvalOfAction(facts: Facts, matched: readonly CompiledRule[]): string | undefined {
  const { action } = facts;
  if (action === undefined || action.approval === undefined || action.approval === 'none') return undefined;
  for (const rule of matched) if (rule.effect === 'allow' && rule.actions !== undefined) return undefined;
  return `action:${action.name}`;
}

function reasonOf(told: CompiledRule | undefined): string {
  if (told === undefined) return REASONS.none;
  return told.tier === TIERS.hardDeny ? REASONS.hardDeny : REASONS[told.effect];
}

function unjudged(policy: CompiledPolicy, message: string, startedAt: number): Decision {
  return {
    outcome: 'deny',
    rule: null,
    reason: REASONS.unjudged,
    hard: false,
    matched: NONE,
    errors: [{ rule: null, message }],
    policyVersion: policy.version,
    micros: microsSince(startedAt),
    trace: NONE,
  };
}

/** A call may reach one rule by several keys of the index. */
function distinct(candidates: CompiledRule[]): CompiledRule[] {
  return candidates.length > 1 ? [...new Set(candidates)] : candidates;
}

function traceOf(candidates: readonly CompiledRule[], call: Call, actionRule: string | undefined): TraceStep[] {
  const steps = candidates.map((rule) => ({ rule: rule.id, matched: uncoveredField(rule, call) === undefined }));
  if (actionRule !== undefined) steps.push({ rule: actionRule, matched: true });
  return steps.sort((left, right) => (left.rule < right.rule ? -1 : 1));
}

function microsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 1000);
}
