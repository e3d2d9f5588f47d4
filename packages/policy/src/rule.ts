import type { Outcome } from '@postern/schemas';
import { type AgentSelectors, matchesAgent } from './agent-selectors.ts';
import type { ApprovalTerms } from './approval-terms.ts';
import type { Call } from './call.ts';
import type { Condition } from './condition/condition.ts';
import type { RateLimit } from './limit/rate-limit.ts';
import { matchesPattern, type PathPattern } from './path-pattern.ts';
import type { Verdict } from './verdict.ts';

export type Effect = Outcome | 'rate_limit';

/** Strength of a matched rule; the strongest decides. A rate limit decides nothing. */
export const TIERS = { rate_limit: 0, allow: 1, require_approval: 2, deny: 3, hardDeny: 4 } as const;
export type Tier = (typeof TIERS)[keyof typeof TIERS];

/** The fields by which a rule selects calls, in the order they are checked. */
export const SELECTING_FIELDS = ['integrations', 'agents', 'actions', 'methods', 'hosts', 'paths'] as const;
export type SelectingField = (typeof SELECTING_FIELDS)[number];

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
  readonly paths: readonly PathPattern[] | undefined;
  /** Held against the call last, when all fields cover it. */
  readonly when: Condition | undefined;
  /** One call may be under several of its agents or paths. */
  readonly mayComeTwice: boolean;
  /** How many selecting fields are given, the condition among them. */
  readonly fieldsGiven: number;
}

/** The first field of `rule` that does not cover `call`; undefined when the rule matches. All given fields must cover it. */
export function uncoveredField(rule: CompiledRule, call: Call): SelectingField | undefined {
  if (rule.integrations !== undefined && !rule.integrations.has(call.integration)) return 'integrations';
  if (rule.agents !== undefined && !matchesAgent(rule.agents, call.agent)) return 'agents';
  if (rule.actions !== undefined && (call.action === undefined || !rule.actions.has(call.action))) return 'actions';
  if (rule.methods !== undefined && !rule.methods.has(call.method)) return 'methods';
  if (rule.hosts !== undefined && !rule.hosts.has(call.host)) return 'hosts';
  if (rule.paths !== undefined && matchedPattern(rule.paths, call.path) === undefined) return 'paths';
  return undefined;
}

/**
 * Whether matched rule `left` is told rather than `right`: the stronger, then the one with more fields given, then the one whose
 * matching pattern has the longer literal prefix, then the one whose id is less (by UTF-16 code units).
 */
export function isTold(left: CompiledRule, right: CompiledRule, path: string): boolean {
  if (left.tier !== right.tier) return left.tier > right.tier;
  if (left.fieldsGiven !== right.fieldsGiven) return left.fieldsGiven > right.fieldsGiven;
  const difference = prefixLength(left, path) - prefixLength(right, path);
  return difference === 0 ? left.id < right.id : difference > 0;
}

function prefixLength(rule: CompiledRule, path: string): number {
  if (rule.paths === undefined) return 0;
  return matchedPattern(rule.paths, path)?.literalPrefixLength ?? 0;
}

function matchedPattern(patterns: readonly PathPattern[], path: string): PathPattern | undefined {
  for (const pattern of patterns) if (matchesPattern(pattern, path)) return pattern;
  return undefined;
}
