import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Facts } from './call.ts';
import { compilePolicy } from './compile-policy.ts';
import { decide } from './decide.ts';
import { factsOf } from './facts.test-support.ts';

/** A rule as written; the reference below reads nothing else. */
interface WrittenRule {
  id: string;
  effect: string;
  hard?: boolean;
  agents?: string[];
  integrations?: string[];
  actions?: string[];
  methods?: string[];
  hosts?: string[];
  paths?: string[];
  when?: string;
  shadow?: boolean;
  limit?: object;
}

const FIELDS = ['agents', 'integrations', 'actions', 'methods', 'hosts', 'paths'] as const;
const STRENGTH: Record<string, number> = { rate_limit: 0, allow: 1, require_approval: 2, deny: 3 };

/** Conditions, with what they say of a call; undefined is an error. */
const SAYINGS: Record<string, (facts: Facts) => boolean | undefined> = {
  true: () => true,
  false: () => false,
  'agent.trust >= 2': ({ agent }) => agent.trust >= 2,
  'request.method == "GET"': ({ request }) => request.method === 'GET',
  'request.body.n > 1': ({ request }) => bodyNumber(request.body, (n) => n > 1),
  'has(request.body.n) && request.body.n > 1': ({ request }) => {
    return typeof request.body === 'object' && request.body !== null && 'n' in request.body
      ? bodyNumber(request.body, (n) => n > 1)
      : false;
  },
  'action.name == "act"': ({ action }) => (action === undefined ? undefined : action.name === 'act'),
  'request.body.n > 1 || agent.trust >= 2': ({ agent, request }) => {
    return agent.trust >= 2 ? true : bodyNumber(request.body, (n) => n > 1);
  },
};

function bodyNumber(body: unknown, test: (n: number) => boolean): boolean | undefined {
  const n = typeof body === 'object' && body !== null && 'n' in body ? body.n : undefined;
  return typeof n === 'number' ? test(n) : undefined;
}
const TRUST: Record<string, number> = { untrusted: 0, low: 1, medium: 2, high: 3, admin: 4 };

/** The specification's section 8 said plainly: every rule is held against the call, one after the other. */
function referenceDecide(rules: WrittenRule[], facts: Facts) {
  const url = new URL(facts.request.url);
  const covering = rules.filter((rule) => referenceMatches(rule, facts, url));
  const says = (rule: WrittenRule) => (rule.when === undefined ? true : SAYINGS[rule.when]?.(facts));
  const live = covering.filter((rule) => rule.shadow !== true);
  const errors = live.filter((rule) => says(rule) === undefined).map(({ id }) => id);
  const counts = (rule: WrittenRule) => says(rule) ?? rule.effect !== 'allow';
  const shadow = covering.filter((rule) => rule.shadow === true && (counts(rule) || says(rule) === undefined));
  const matched = live.filter(counts);
  return {
    ...referenceSettle(matched, facts, url),
    errors: errors.sort(),
    limits: matched
      .filter((rule) => rule.effect === 'rate_limit')
      .map(({ id }) => id)
      .sort(),
    shadow: shadow.map(({ id }) => id).sort(),
  };
}

function referenceSettle(matched: WrittenRule[], facts: Facts, url: URL) {
  const action = facts.action;
  const isLifted = matched.some((rule) => rule.effect === 'allow' && rule.actions !== undefined);
  const ids = matched.map((rule) => rule.id);
  const deciding = matched.filter((rule) => rule.effect !== 'rate_limit');
  const ranked = deciding.map((rule) => ({ rule, rank: referenceRank(rule, url.pathname) }));
  ranked.sort((left, right) => compareRanks(left.rank, right.rank));
  const first = ranked[0]?.rule;
  if (action?.approval === 'required' && !isLifted) {
    ids.push(`action:${action.name}`);
    if (first === undefined || first.effect === 'allow') {
      return { outcome: 'require_approval', rule: `action:${action.name}`, hard: false, matched: ids.sort() };
    }
  }
  const opens = (rule: WrittenRule) => rule.effect === 'allow' || referenceMatches(rule, facts, url, true);
  if (first?.effect === 'require_approval' && !deciding.some(opens) && action?.approval !== 'required') {
    return { outcome: 'deny', rule: null, hard: false, matched: ids.sort() };
  }
  const hard = first?.hard === true;
  return { outcome: first?.effect ?? 'deny', rule: first?.id ?? null, hard, matched: ids.sort() };
}

function referenceMatches(rule: WrittenRule, facts: Facts, url: URL, opens = rule.effect === 'allow'): boolean {
  const { agent } = facts;
  const covers = (list: string[] | undefined, test: (item: string) => boolean) => list === undefined || list.some(test);
  return (
    covers(rule.agents, (item) => {
      if (item.startsWith('role:')) return agent.roles.includes(item.slice(5));
      if (item.startsWith('environment:')) return agent.environment === item.slice(12);
      if (item.startsWith('trust>=')) return agent.trust >= (TRUST[item.slice(7)] ?? Number(item.slice(7)));
      return item === '*' || item === agent.name;
    }) &&
    covers(rule.integrations, (item) => item === '*' || item === facts.integration.name) &&
    covers(rule.actions, (item) => item === facts.action?.name) &&
    covers(rule.methods, (item) => item === facts.request.method) &&
    covers(rule.hosts, (item) => item === url.hostname) &&
    covers(rule.paths, (item) => referenceCovers(opens, item, url.pathname))
  );
}

/** What closes covers the path in any reading, what opens must cover it as it is written and as a second decoding leaves it. */
function referenceCovers(opens: boolean, pattern: string, path: string): boolean {
  const fitsRead = (read: (text: string) => string) => referencePathFits(read(pattern), read(path));
  return opens ? referencePathFits(pattern, path) && fitsRead(decoded) : [alike, decoded, split].some(fitsRead);
}

function alike(text: string): string {
  return text
    .toLowerCase()
    .replace(/\/+/g, '/')
    .replace(/(.)\/$/, '$1');
}

function decoded(text: string): string {
  return alike(text.replace(/;[^/]*/g, '').replaceAll('%2561', 'a'));
}

function split(text: string): string {
  return decoded(text.replaceAll('%2F', '/'));
}

function referencePathFits(pattern: string, path: string): boolean {
  const parts = pattern.split('/').slice(1);
  const source = parts.map((part) => {
    if (part === '**') return '(?:/[^/]*)*';
    return part === '*' || part.startsWith('{') ? '/[^/]+' : `/${part}`;
  });
  return new RegExp(`^${source.join('')}$`).test(path);
}

function referenceRank(rule: WrittenRule, path: string): (number | string)[] {
  const listed = FIELDS.filter((field) => rule[field] !== undefined && !rule[field].includes('*')).length;
  const given = listed + (rule.when === undefined ? 0 : 1);
  const prefixes = (rule.paths ?? [])
    .filter((pattern) => referenceCovers(rule.effect === 'allow', pattern, path))
    .map((pattern) => pattern.replace(/\/(\*|\{).*$/, '').length);
  const strength = (STRENGTH[rule.effect] ?? 0) + (rule.hard === true ? 1 : 0);
  return [-strength, -given, -Math.max(0, ...prefixes), rule.id];
}

function compareRanks(left: (number | string)[], right: (number | string)[]): number {
  for (const [position, value] of left.entries()) {
    const other = right[position] as number | string;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

const some = (...items: string[]) => fc.option(fc.subarray(items, { minLength: 1 }), { nil: undefined });
const segment = fc.constantFrom('a', 'a', 'b', 'b', '*', '{x}', '**', '', 'A', 'b;x', 'a%2Fb', '%2561');
const pattern = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`);

const effect = fc.constantFrom(
  { effect: 'allow' },
  { effect: 'allow', hard: false },
  { effect: 'deny' },
  { effect: 'deny', hard: true },
  { effect: 'require_approval' },
  { effect: 'rate_limit', limit: { requests: 5, perSeconds: 60 } },
);

const condition = fc.option(fc.constantFrom(...Object.keys(SAYINGS)), { nil: undefined });

const selectors = fc.record({
  agents: some('x', 'y', 'role:r', 'role:s', 'trust>=medium', 'trust>=3', 'environment:dev', '*'),
  integrations: some('i', 'j', '*'),
  actions: some('act', 'other'),
  methods: some('GET', 'POST', 'PUT'),
  hosts: some('h.example', 'g.example'),
  paths: fc.option(fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  when: condition,
});

const rules: fc.Arbitrary<WrittenRule[]> = fc
  .array(fc.tuple(effect, selectors, fc.constantFrom(undefined, undefined, undefined, true)), { maxLength: 14 })
  .map((rules) => rules.map(([chosen, lists, shadow], at) => ({ id: `r${at}`, ...chosen, ...lists, shadow })));

const calls: fc.Arbitrary<Facts> = fc
  .record({
    name: fc.constantFrom('x', 'y', 'z'),
    roles: fc.subarray(['r', 's', 't']),
    trust: fc.integer({ min: 0, max: 4 }),
    environment: fc.constantFrom('dev', 'prod', undefined),
    integration: fc.constantFrom('i', 'j', 'k'),
    action: fc.constantFrom(undefined, 'act', 'other', 'third'),
    approval: fc.constantFrom('none', 'required'),
    method: fc.constantFrom('GET', 'POST', 'DELETE'),
    host: fc.constantFrom('h.example', 'g.example', 'f.example'),
    segments: fc.array(fc.constantFrom('a', 'a', 'b', 'b', '', 'c', 'B', 'a;y', 'a%2Fb', '%2561', '%2561%2Fb'), {
      minLength: 1,
      maxLength: 5,
    }),
    body: fc.constantFrom(null, {}, { n: 1 }, { n: 2 }, { n: 'x' }),
  })
  .map(({ name, roles, trust, environment, ...call }) =>
    factsOf({
      agent: { name, roles, trust, environment },
      integration: { name: call.integration },
      action: call.action === undefined ? undefined : { name: call.action, approval: call.approval },
      request: {
        method: call.method,
        url: `https://${call.host}/${call.segments.join('/')}`,
        body: call.body,
        bodyInspected: true,
      },
    }),
  );

/** Without risk, which the reference knows nothing of. */
function verdict(written: WrittenRule[], facts: Facts) {
  const decision = decide(compilePolicy({ rules: written }, { riskRaises: false }), facts);
  const { outcome, rule, hard, matched } = decision;
  const [errors, limits, shadow] = [decision.errors, decision.limits, decision.shadow].map((list) => {
    return list.map((item) => item.rule);
  });
  return { outcome, rule, hard, matched, errors, limits, shadow };
}

const LOOSENESS: Record<string, number> = { deny: 0, require_approval: 1, allow: 2 };
const isNoLooser = (after: { outcome: string }, before: { outcome: string }) =>
  (LOOSENESS[after.outcome] as number) <= (LOOSENESS[before.outcome] as number);

describe('decide', () => {
  it('decides as holding every rule against the call would', () => {
    fc.assert(
      fc.property(rules, calls, (written, facts) => {
        expect(verdict(written, facts)).toEqual(referenceDecide(written, facts));
      }),
      { numRuns: 3000 },
    );
  }, 30_000);

  it('does not depend on the order of the rules', () => {
    const shuffled = rules.chain((written) =>
      fc.tuple(
        fc.constant(written),
        fc.shuffledSubarray(written, { minLength: written.length, maxLength: written.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, calls, ([written, other], facts) => {
        expect(verdict(other, facts)).toEqual(verdict(written, facts));
      }),
      { numRuns: 500 },
    );
  });

  it('never decides more loosely for one more deny or require_approval rule', () => {
    const stricter = fc.tuple(fc.constantFrom('deny', 'require_approval'), selectors);
    fc.assert(
      fc.property(rules, stricter, calls, (written, [added, lists], facts) => {
        const before = verdict(written, facts);
        const after = verdict([...written, { id: 'added', effect: added, ...lists }], facts);
        // Only where nothing spoke for the call may a require_approval rule open the way to a person.
        if (before.rule === null && added === 'require_approval') return;
        expect(isNoLooser(after, before)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('changes nothing but the record for one more rule in shadow', () => {
    fc.assert(
      fc.property(rules, effect, selectors, calls, (written, chosen, lists, facts) => {
        const { shadow: _before, ...before } = verdict(written, facts);
        const { shadow: _after, ...after } = verdict(
          [...written, { id: 'added', ...chosen, ...lists, shadow: true }],
          facts,
        );
        expect(after).toEqual(before);
      }),
      { numRuns: 500 },
    );
  });

  it('never decides more loosely for risk, however high or low a score is given', () => {
    const score = fc.oneof(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(Number.NaN, -1, 7, 'low' as never),
    );
    const threshold = fc.constantFrom(0, 0.1, 0.3, 0.5, 0.9, 1);
    fc.assert(
      fc.property(rules, calls, score, threshold, threshold, (written, facts, risk, review, deny) => {
        const before = verdict(written, facts);
        const after = decide(compilePolicy({ rules: written, risk: { review, deny } }), { ...facts, risk });
        expect(isNoLooser(after, before)).toBe(true);
        expect(after.hard).toBe(before.hard);
      }),
      { numRuns: 500 },
    );
  });
});
