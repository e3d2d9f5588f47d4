import type { Facts } from '../call.ts';
import { type InspectedBody, inspectBody } from '../condition/request-facts.ts';
import { UNKEPT } from '../condition/unkept.ts';
import { argumentTexts } from './argument-texts.ts';
import { labelsOf } from './risk-labels.ts';

/** How risky a call looks, and why. */
export interface RiskScore {
  /** 0 to 1, in tenths; a score that came with the facts as it came. */
  readonly score: number;
  /** Those of `RISK_LABELS` found, in that order; after them those that came with the facts. */
  readonly labels: readonly string[];
  /** What the score is made of, each with what it added. Their sum may be above 1, the score is not. */
  readonly factors: readonly RiskFactor[];
}

export interface RiskFactor {
  readonly name: string;
  readonly value: number;
}

/** All in tenths, so that no score has a rounding error. */
const HIGH_TIER_TENTHS = 6;
const TIER_TENTHS: ReadonlyMap<string, number> = new Map([
  ['low', 1],
  ['medium', 3],
  ['high', HIGH_TIER_TENTHS],
]);
const METHOD_TENTHS: ReadonlyMap<string, number> = new Map([
  ['DELETE', 7],
  ['PUT', 5],
  ['PATCH', 4],
  ['POST', 3],
]);
const OTHER_METHOD_TENTHS = 1;
const LABEL_TENTHS = 2;
const LABELS_TENTHS_MAX = 6;
const NEW_HOST_TENTHS = 1;

/**
 * The score of a call by the specification's section 8: base of the action's tier or the method, 0.2 a label up to 0.6, 0.1 for a host
 * that is new to the agent; at most 1. `facts.risk`, where given, can only raise it. Deterministic; linear in the size of the arguments.
 */
export function scoreRisk(facts: Facts): RiskScore {
  return assessRisk(facts, inspectBody(facts.request)).least;
}

/** What the score is at least, and at most: they differ where arguments of a recorded call were not kept. */
export interface RiskBounds {
  readonly least: RiskScore;
  readonly most: number;
}

export function assessRisk(facts: Facts, body: InspectedBody): RiskBounds {
  const given = givenRisk(facts.risk);
  const { texts, isPartial } = argumentTexts(facts, body.isInspected === false ? undefined : body.value);
  const labels: readonly string[] = labelsOf(texts);
  const base = baseTenths(riskiestAction(facts), facts.request.method);
  const fromLabels = Math.min(labels.length * LABEL_TENTHS, LABELS_TENTHS_MAX);
  const fromHost = facts.hostIsNew === true ? NEW_HOST_TENTHS : 0;
  const own = Math.min(10, base + fromLabels + fromHost) / 10;
  const score = Math.max(own, given?.score ?? 0);
  const others = (given?.labels ?? []).filter((label) => !labels.includes(label));
  const factors = factorsOf(facts, labels);
  if (score > own) factors.push({ name: 'given', value: rounded(score - own) });
  const least = { score, labels: others.length === 0 ? labels : [...labels, ...others], factors };
  // What a recorded score says of arguments that are gone stands for them.
  if (given !== undefined) return { least, most: score };
  const mostFromLabels = isPartial ? LABELS_TENTHS_MAX : fromLabels;
  const mostFromHost = (facts.hostIsNew as unknown) === UNKEPT ? NEW_HOST_TENTHS : fromHost;
  return { least, most: Math.min(10, base + mostFromLabels + mostFromHost) / 10 };
}

function factorsOf(facts: Facts, labels: readonly string[]): RiskFactor[] {
  const { method } = facts.request;
  const action = riskiestAction(facts);
  const base = action?.risk === undefined ? `method:${method}` : `tier:${action.risk}`;
  const factors: RiskFactor[] = [{ name: base, value: baseTenths(action, method) / 10 }];
  for (const [position, label] of labels.entries()) {
    const isCounted = (position + 1) * LABEL_TENTHS <= LABELS_TENTHS_MAX;
    factors.push({ name: `label:${label}`, value: isCounted ? LABEL_TENTHS / 10 : 0 });
  }
  if (facts.hostIsNew === true) factors.push({ name: 'host_is_new', value: NEW_HOST_TENTHS / 10 });
  return factors;
}

/** The most that `scoreRisk` can say of a call, told without looking at its arguments. */
export function highestRisk(facts: Facts): number {
  if (facts.risk !== undefined && facts.risk !== null) return 1;
  const labels = hasArguments(facts) ? LABELS_TENTHS_MAX : 0;
  const fromHost = facts.hostIsNew === undefined || facts.hostIsNew === false ? 0 : NEW_HOST_TENTHS;
  return Math.min(10, baseTenths(riskiestAction(facts), facts.request.method) + labels + fromHost) / 10;
}

function hasArguments({ request, tool }: Facts): boolean {
  if (request.bodyInspected && request.body !== undefined && request.body !== null) return true;
  return request.query !== undefined || (tool !== undefined && tool !== null) || request.url.includes('?');
}

/** The action of all that the call may be whose base is the highest. */
function riskiestAction({ action, otherActions, request }: Facts): Facts['action'] {
  if (otherActions === undefined) return action;
  let riskiest = action;
  for (const other of otherActions) {
    if (baseTenths(other.action, request.method) > baseTenths(riskiest, request.method)) riskiest = other.action;
  }
  return riskiest;
}

function baseTenths(action: Facts['action'], method: string): number {
  // A tier that nobody knows is no reason for less care.
  if (action?.risk !== undefined) return TIER_TENTHS.get(action.risk) ?? HIGH_TIER_TENTHS;
  return METHOD_TENTHS.get(method) ?? OTHER_METHOD_TENTHS;
}

/** The score that came with the facts; what is no score from 0 to 1 is read as the highest. */
function givenRisk(risk: unknown): { readonly score: number; readonly labels: readonly string[] } | undefined {
  if (risk === undefined || risk === null || risk === UNKEPT) return undefined;
  const { score = risk, labels } = typeof risk === 'object' ? (risk as { score?: unknown; labels?: unknown }) : {};
  const isScore = typeof score === 'number' && score >= 0 && score <= 1;
  const texts = Array.isArray(labels) ? labels.filter((label) => typeof label === 'string') : [];
  return { score: isScore ? score : 1, labels: texts };
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
