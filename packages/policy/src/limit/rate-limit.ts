import type { Call } from '../call.ts';
import { isRecord, type Report, readWhole } from '../read-fields.ts';

/** What a counter can be kept for; each combination of values has its own. */
export const LIMIT_DIMENSIONS = ['tenant', 'agent', 'integration', 'action', 'method', 'host'] as const;
export type LimitDimension = (typeof LIMIT_DIMENSIONS)[number];

/** At most `requests` in any `perSeconds` seconds. */
export interface RateLimit {
  readonly requests: number;
  readonly perSeconds: number;
  readonly per: readonly LimitDimension[];
}

const REQUESTS_MAX = 1_000_000;
/** 31 days. */
const SECONDS_MAX = 2_678_400;
const FIELDS: ReadonlySet<string> = new Set(['requests', 'perSeconds', 'per']);

/** Reads `limit` of a rate_limit rule. Undefined when it has a fault, which `report` was told. */
export function readRateLimit(source: unknown, report: Report): RateLimit | undefined {
  if (!isRecord(source)) {
    report('limit', 'must have requests, perSeconds and per');
    return undefined;
  }
  for (const field of Object.keys(source)) {
    if (source[field] !== undefined && !FIELDS.has(field)) report(`limit.${field}`, 'is not a field of limit');
  }
  const requests = readWhole(source, 'limit.requests', { min: 1, max: REQUESTS_MAX }, report);
  const perSeconds = readWhole(source, 'limit.perSeconds', { min: 1, max: SECONDS_MAX }, report);
  const per = readDimensions(source['per'], report);
  if (requests === undefined || perSeconds === undefined || per === undefined) return undefined;
  return { requests, perSeconds, per };
}

/** Absent: a counter for each agent. */
function readDimensions(list: unknown, report: Report): readonly LimitDimension[] | undefined {
  if (list === undefined) return ['agent'];
  const isDimension = (item: unknown): item is LimitDimension => {
    return (LIMIT_DIMENSIONS as readonly unknown[]).includes(item);
  };
  if (Array.isArray(list) && list.length > 0 && list.every(isDimension) && new Set(list).size === list.length) {
    return LIMIT_DIMENSIONS.filter((dimension) => list.includes(dimension));
  }
  report('limit.per', `must be a list of ${LIMIT_DIMENSIONS.join(', ')}, each at most once`);
  return undefined;
}

/**
 * The name of the counter that a call spends. Made of the rule and of what the call is, never of what a caller can vary freely: neither
 * path nor query is a dimension, so another spelling spends the same counter.
 */
export function counterKey(tenant: string, rule: string, { per }: RateLimit, call: Call): string {
  const values: (string | null)[] = [tenant, rule];
  for (const dimension of per) if (dimension !== 'tenant') values.push(valueFor(dimension, call));
  return JSON.stringify(values);
}

function valueFor(dimension: Exclude<LimitDimension, 'tenant'>, call: Call): string | null {
  switch (dimension) {
    case 'agent':
      return call.agent.name;
    case 'integration':
      return call.integration;
    case 'action':
      return call.action ?? null;
    case 'method':
      return call.method;
    case 'host':
      return call.host;
  }
}
