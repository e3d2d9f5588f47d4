import type { Call, Facts } from './call.ts';
import { conditionFacts } from './condition/condition-facts.ts';
import type { Fault } from './condition/fault.ts';
import { judgeCondition } from './condition/readings-of-call.ts';
import type { Evaluation } from './condition/term.ts';
import { type CompiledRule, type Effect, isClosing, isTold, TIERS, uncoveredField } from './rule.ts';

/** A rule in shadow that would have counted, or that failed. */
export interface ShadowStep {
  readonly rule: string;
  readonly effect: Effect;
  readonly matched: boolean;
  readonly error?: string;
}

/** Why a rule says nothing of a call. */
export interface RuleError {
  readonly rule: string;
  /** Of the rule's expression; holds nothing of the call. */
  readonly message: string;
  /** Characters from the start of the expression. */
  readonly position: number;
}

/** What became of the rules that a call could be covered by. */
export interface Judgement {
  readonly matched: CompiledRule[];
  /** The strongest of the matched, rate limits aside. */
  told: CompiledRule | undefined;
  hasLimits: boolean;
  /** Undefined for none, as almost always. */
  errors: RuleError[] | undefined;
  shadow: ShadowStep[] | undefined;
  /** For `evaluationOf`. */
  evaluation: Evaluation | undefined;
}

/** Holds each of `rules` against the call. A rule whose condition fails counts as matched, but for `allow`. */
export function judgeRules(rules: readonly CompiledRule[], facts: Facts, call: Call): Judgement {
  const judgement: Judgement = {
    matched: [],
    told: undefined,
    hasLimits: false,
    errors: undefined,
    shadow: undefined,
    evaluation: undefined,
  };
  for (const rule of rules) {
    if (uncoveredField(rule, call) !== undefined) continue;
    if (rule.when === undefined && !rule.isShadow) addMatched(judgement, rule, call);
    else judgeRule(judgement, rule, facts, call);
  }
  return judgement;
}

function judgeRule(judgement: Judgement, rule: CompiledRule, facts: Facts, call: Call): void {
  let said: boolean | Fault = true;
  if (rule.when !== undefined) {
    said = judgeCondition(rule.when, evaluationOf(judgement, facts, call), !isClosing(rule));
    if (said === false) return;
  }
  const isMatched = said === true || rule.effect !== 'allow';
  if (rule.isShadow) addShadow(judgement, rule, isMatched, said);
  else {
    if (said !== true) addError(judgement, rule, said);
    if (isMatched) addMatched(judgement, rule, call);
  }
}

function addMatched(judgement: Judgement, rule: CompiledRule, call: Call): void {
  judgement.matched.push(rule);
  if (rule.tier === TIERS.rate_limit) judgement.hasLimits = true;
  else if (judgement.told === undefined || isTold(rule, judgement.told, call)) judgement.told = rule;
}

function addShadow(judgement: Judgement, { id, effect }: CompiledRule, matched: boolean, said: true | Fault): void {
  judgement.shadow ??= [];
  judgement.shadow.push({ rule: id, effect, matched, ...(said === true ? {} : { error: said.message }) });
}

function addError(judgement: Judgement, { id }: CompiledRule, { message, position }: Fault): void {
  judgement.errors ??= [];
  judgement.errors.push({ rule: id, message, position });
}

export function createEvaluation(facts: Facts, call: Call): Evaluation {
  return { facts: conditionFacts(facts, call), stepsLeft: 0, locals: [], otherReadings: undefined };
}

/** Made when something first looks at more of the call than the selectors do. */
export function evaluationOf(judgement: Judgement, facts: Facts, call: Call): Evaluation {
  judgement.evaluation ??= createEvaluation(facts, call);
  return judgement.evaluation;
}
