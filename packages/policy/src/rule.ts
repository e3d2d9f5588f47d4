import type { Outcome } from '@postern/schemas';
import { type AgentSelectors, matchesAgent } from './agent-selectors.ts';
import type { ApprovalTerms } from './approval-terms.ts';
import { type Call, readingsOf } from './call.ts';
import type { Condition } from './condition/condition.ts';
import type { RateLimit } from './limit/rate-limit.ts';
import { matchesPattern, type PathPattern } from './path-pattern.ts';
import { anyReadingFits, type PatternReadings } from './path-readings.ts';
import type { Verdict } from './verdict.ts';

export type Effect = Outcome | 'rate_limit';

/** Strength of a matched rule; the strongest decides. A rate limit decides nothing. */
export const TIERS = { rate_limit: 0, allow: 1, require_approval: 2, deny: 3, hardDeny: 4 } as const;
export type Tier = (typeof TIERS)[keyof typeof TIERS];

/** The fields by which a rule selects calls, in the order they are checked. */
export const SELECTING_FIELDS = ['integrations', 'agents', 'actions', 'methods', 'hosts', 'paths'] as const;
export type SelectingField = (typeof SELECTING_FIELDS)[number];

/** A path pattern of a rule: what is written, and how upstreams may read it. */
export interface RulePattern extends PathPattern {
  readonly readings: PatternReadings;
}

/** A rule ready to be matched. An absent list selects everything. */
export interface CompiledRule {
  readonly id: string;
  readonly effect: Effect;
  readonly tier: Tier;
  /** What it says when it is told. */
  readonly verdict: Verdict;
  /** It is recorded what the rule would have done, and nothing is done. */
  readonly isShadow: boolean;
  /** Of a `rate_limit` rule. */
  readonly limit: RateLimit | undefined;
  /** Of a `require_approval` rule that says more than the defaults. */
  readonly approval: ApprovalTerms | undefined;
  readonly agents: AgentSelectors | undefined;
  readonly integrations: ReadonlySet<string> | undefined;
  readonly actions: ReadonlySet<string> | undefined;
  readonly methods: ReadonlySet<string> | undefined;
  readonly hosts: ReadonlySet<string> | undefined;
  /** Longest literal prefix first. */
  readonly paths: readonly RulePattern[] | undefined;
  /** Held against the call last, when all fields cover it. */
  readonly when: Condition | undefined;
  /** One call may be under several of its agents or paths. */
  readonly mayComeTwice: boolean;
  /** How many selecting fields are given, the condition among them. */
  readonly fieldsGiven: number;
}

/** Whether the rule can only tighten: one that allows opens, all others close. */
export function isClosing(rule: CompiledRule): boolean {
  return rule.tier !== TIERS.allow;
}

/**
 * The first field of `rule` that does not cover `call`; undefined when the rule matches. All given fields must cover it. `opens`: covered
 * as one that opens is, by default where the rule is one.
 */
export function uncoveredField(
  rule: CompiledRule,
  call: Call,
  opens: boolean = !isClosing(rule),
): SelectingField | undefined {
  if (rule.integrations !== undefined && !rule.integrations.has(call.integration)) return 'integrations';
  if (rule.agents !== undefined && !matchesAgent(rule.agents, call.agent)) return 'agents';
  if (rule.actions !== undefined && !coversAction(rule.actions, call, opens)) return 'actions';
  if (rule.methods !== undefined && !rule.methods.has(call.method)) return 'methods';
  if (rule.hosts !== undefined && !rule.hosts.has(call.host)) return 'hosts';
  if (rule.paths !== undefined && coveringPattern(rule.paths, call, opens) === undefined) return 'paths';
  return undefined;
}

/** A rule that closes covers every action that the call may be; one that opens must name all that it may well be. */
function coversAction(actions: ReadonlySet<string>, { action, otherActions }: Call, opens: boolean): boolean {
  const isNamed = action !== undefined && actions.has(action);
  if (otherActions.length === 0) return isNamed;
  if (!opens) return isNamed || otherActions.some((other) => actions.has(other.action.name));
  return isNamed && otherActions.every((other) => other.isBySplit || actions.has(other.action.name));
}

/**
 * A rule that closes covers a path when any reading fits any reading of its pattern. One that opens goes by what is written, and where
 * something in it is encoded twice or has `;parameters`, an upstream that reads on must find the pattern, too.
 */
function coveringPattern(patterns: readonly RulePattern[], call: Call, opens: boolean): PathPattern | undefined {
  if (!opens) {
    const readings = readingsOf(call);
    for (const pattern of patterns) if (anyReadingFits(pattern.readings, readings)) return pattern;
    return undefined;
  }
  for (const pattern of patterns) {
    if (!matchesPattern(pattern, call.path)) continue;
    const { decoded, isUnreadable, alike } = readingsOf(call);
    if (isUnreadable) return undefined;
    if (decoded === alike || matchesPattern(pattern.readings.decoded, decoded)) return pattern;
  }
  return undefined;
}

/**
 * Whether matched rule `left` is told rather than `right`: the stronger, then the one with more fields given, then the one whose
 * matching pattern has the longer literal prefix, then the one whose id is less (by UTF-16 code units).
 */
export function isTold(left: CompiledRule, right: CompiledRule, call: Call): boolean {
  if (left.tier !== right.tier) return left.tier > right.tier;
  if (left.fieldsGiven !== right.fieldsGiven) return left.fieldsGiven > right.fieldsGiven;
  const difference = prefixLength(left, call) - prefixLength(right, call);
  return difference === 0 ? left.id < right.id : difference > 0;
}

function prefixLength(rule: CompiledRule, call: Call): number {
  if (rule.paths === undefined) return 0;
  return coveringPattern(rule.paths, call, !isClosing(rule))?.literalPrefixLength ?? 0;
}
