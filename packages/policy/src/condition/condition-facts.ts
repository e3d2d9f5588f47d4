import type { Call, Facts } from '../call.ts';
import { assessRisk, type RiskBounds, type RiskScore } from '../risk/score-risk.ts';
import { Fault } from './fault.ts';
import { type InspectedBody, inspectBody, readHeaders, readQuery } from './request-facts.ts';
import { timestampOfMillis } from './time.ts';
import { UNKEPT } from './unkept.ts';
import { fromFact, type Value } from './value.ts';

/** The facts of one call as conditions see them. Each is read when first touched, and once. */
export interface ConditionFacts {
  readonly facts: Facts;
  readonly call: Call;
  /** By the `index` of a `FactField`. */
  readonly known: (Value | undefined)[];
  body: InspectedBody | undefined;
  risk: RiskBounds | undefined;
}

export interface FactField {
  /** `root.field` */
  readonly name: string;
  readonly index: number;
  /** Its type in the expression language. */
  readonly type: string;
  /** Undefined where the call has no such thing. */
  readonly read: (source: ConditionFacts, position: number) => Value | undefined;
}

type Declared = readonly [type: string, read: FactField['read']];

const ofAgent = (read: (agent: Facts['agent']) => unknown): FactField['read'] => {
  return ({ facts }, position) => optional(read(facts.agent), position);
};
const ofRequest = (read: (call: Call) => Value): FactField['read'] => {
  return ({ call }) => read(call);
};
const ofAction = (read: (action: NonNullable<Facts['action']>) => unknown): FactField['read'] => {
  return ({ facts }, position) => (facts.action === undefined ? undefined : optional(read(facts.action), position));
};
const ofPart = (part: 'tool' | 'counts', field: string): FactField['read'] => {
  return ({ facts }, position) => optional(memberOf(facts[part], field), position);
};
const ofRisk = (read: (risk: RiskScore) => Value): FactField['read'] => {
  return (source, position) => {
    const { least, most } = riskOf(source);
    return least.score === most ? read(least) : fromFact(UNKEPT, position);
  };
};

/** Everything a condition can name. What is not here is refused when the rule is saved. */
const DECLARED: Readonly<Record<string, Readonly<Record<string, Declared>>>> = {
  agent: {
    name: ['string', ofAgent((agent) => agent.name)],
    roles: ['list<string>', ofAgent((agent) => agent.roles)],
    trust: ['int', ofAgent((agent) => agent.trust)],
    environment: ['string', ofAgent((agent) => agent.environment)],
  },
  request: {
    method: ['string', ofRequest((call) => call.method)],
    scheme: ['string', ofRequest((call) => call.target.scheme)],
    host: ['string', ofRequest((call) => call.host)],
    port: ['int', ofRequest((call) => BigInt(call.target.port))],
    path: ['string', ofRequest(pathOf)],
    segments: ['list<string>', ofRequest((call) => pathOf(call).slice(1).split('/'))],
    query: ['map<string, list<string>>', ({ facts }, position) => fromFact(readQuery(facts.request), position)],
    headers: ['map<string, string>', ({ facts }, position) => fromFact(readHeaders(facts.request), position)],
    body: ['dyn', readBody],
    bodyInspected: ['bool', (source, position) => fromFact(bodyOf(source).isInspected, position)],
  },
  integration: { name: ['string', ({ facts }) => facts.integration.name] },
  action: {
    name: ['string', ofAction((action) => action.name)],
    risk: ['string', ofAction((action) => action.risk)],
    approval: ['string', ofAction((action) => action.approval)],
  },
  risk: {
    score: ['double', ofRisk((risk) => risk.score)],
    labels: ['list<string>', ofRisk((risk) => risk.labels)],
  },
  tool: {
    name: ['string', ofPart('tool', 'name')],
    server: ['string', ofPart('tool', 'server')],
    arguments: ['dyn', ofPart('tool', 'arguments')],
  },
  time: { now: ['google.protobuf.Timestamp', ({ facts }) => timestampOfMillis(facts.now)] },
  count: {
    minute: ['int', ofPart('counts', 'minute')],
    hour: ['int', ofPart('counts', 'hour')],
    day: ['int', ofPart('counts', 'day')],
  },
};

/** By root, then by field. */
export const FACT_FIELDS: ReadonlyMap<string, ReadonlyMap<string, FactField>> = declareFields();

function declareFields(): Map<string, Map<string, FactField>> {
  let index = -1;
  return new Map(
    Object.entries(DECLARED).map(([root, fields]) => {
      const declared = Object.entries(fields).map(([name, [type, read]]): [string, FactField] => {
        index += 1;
        return [name, { name: `${root}.${name}`, index, type, read }];
      });
      return [root, new Map(declared)];
    }),
  );
}

/** The value of a fact, or undefined where the call has no such thing. */
export function factOf(source: ConditionFacts, field: FactField, position: number): Value | undefined {
  const known = source.known[field.index];
  if (known !== undefined) return known;
  const value = field.read(source, position);
  source.known[field.index] = value;
  return value;
}

export function conditionFacts(facts: Facts, call: Call): ConditionFacts {
  return { facts, call, known: [], body: undefined, risk: undefined };
}

/** The risk of the call; computed at most once, and by nobody when no one asks. */
export function riskOf(source: ConditionFacts): RiskBounds {
  source.risk ??= assessRisk(source.facts, bodyOf(source));
  return source.risk;
}

/** Null is absence too: a call's facts have no member whose value is nothing. */
function optional(raw: unknown, position: number): Value | undefined {
  return raw === undefined || raw === null ? undefined : fromFact(raw, position);
}

function memberOf(part: unknown, field: string): unknown {
  if (part === UNKEPT) return UNKEPT;
  if (typeof part !== 'object' || part === null || !Object.hasOwn(part, field)) return undefined;
  return (part as Record<string, unknown>)[field];
}

/** The folded path, so that another spelling is no other path; `*`, which folding keeps apart for patterns, as itself. */
function pathOf(call: Call): string {
  return call.path.includes('%2A') ? call.path.replaceAll('%2A', '*') : call.path;
}

function readBody(source: ConditionFacts, position: number): Value {
  const { isInspected, value } = bodyOf(source);
  if (isInspected === false) throw new Fault('reads the body, which could not be inspected', position);
  return fromFact(value ?? null, position);
}

/** The body of the call; read at most once, and by nobody when no one asks. */
export function bodyOf(source: ConditionFacts): InspectedBody {
  source.body ??= inspectBody(source.facts.request);
  return source.body;
}
