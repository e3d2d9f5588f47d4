import { compilePolicy, decide, type Facts } from '@postern/policy';
import { type Rule, ruleSchema } from '@postern/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DescriptorScope } from '../ports/policy-rules.ts';
import { rulesInScope } from './descriptor-scope.ts';

const some = (...items: string[]) => fc.option(fc.subarray(items, { minLength: 1 }), { nil: undefined });
const pathPattern = fc.constantFrom(
  '/**',
  '/a/**',
  '/a',
  '/*/b',
  '/{x}/b',
  '/A',
  '/b;x',
  '/a%2Fb',
  '/%2561',
  '/admin/**',
);

const effect = fc.constantFrom(
  { effect: 'allow' },
  { effect: 'deny' },
  { effect: 'deny', hard: true },
  { effect: 'require_approval' },
  { effect: 'require_approval', approval: { approvers: 2 } },
  { effect: 'rate_limit', limit: { requests: 5, perSeconds: 60, per: ['agent', 'action'] } },
);

const agentSelector = fc.constantFrom(
  ...['x', 'y', 'role:r', 'role:s', 'trust>=medium', 'trust>=3', 'trust>=0', 'environment:dev', '*'],
);

const selectors = fc.record({
  // Few at a time: among many there is always one that fits.
  agents: fc.option(fc.uniqueArray(agentSelector, { minLength: 1, maxLength: 2 }), { nil: undefined }),
  integrations: some('i', 'j', '*'),
  actions: some('act', 'other', 'third'),
  methods: some('GET', 'POST', 'PUT'),
  hosts: some('h.example', 'g.example'),
  paths: fc.option(fc.uniqueArray(pathPattern, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  when: fc.constantFrom(undefined, undefined, 'agent.trust >= 2', 'request.body.n > 1', 'action.name == "act"'),
  shadow: fc.constantFrom(undefined, undefined, undefined, true),
});

const rules: fc.Arbitrary<readonly Rule[]> = fc
  .array(fc.tuple(effect, selectors), { maxLength: 12 })
  .map((drafts) => drafts.map(([chosen, lists], at) => ruleSchema.parse({ id: `r${at}`, ...chosen, ...lists })));

const ACTIONS = ['act', 'other', 'third'] as const;

const calls: fc.Arbitrary<Facts> = fc
  .record({
    name: fc.constantFrom('x', 'y', 'z'),
    roles: fc.subarray(['r', 's', 't']),
    trust: fc.integer({ min: 0, max: 4 }),
    environment: fc.constantFrom('dev', 'prod', undefined),
    integration: fc.constantFrom('i', 'j', 'k'),
    action: fc.constantFrom(undefined, ...ACTIONS),
    approval: fc.constantFrom('none', 'required'),
    otherActions: fc.array(fc.record({ name: fc.constantFrom(...ACTIONS), isBySplit: fc.boolean() }), { maxLength: 2 }),
    method: fc.constantFrom('GET', 'POST', 'DELETE'),
    host: fc.constantFrom('h.example', 'g.example', 'f.example'),
    // The last ones cannot be read: decoded once more they would be no path.
    path: fc.constantFrom('/a', '/a/b', '/b', '/admin/x', '/a%2Fb', '/b;y', '/%2561', '/a/%252e%252e/b', '/%2500'),
    n: fc.constantFrom(0, 2),
  })
  .map(({ name, roles, trust, environment, ...call }) => ({
    tenant: 'default',
    agent: { name, roles, trust, environment },
    request: {
      method: call.method,
      url: `https://${call.host}${call.path}`,
      target: { scheme: 'https', host: call.host, port: 443, path: call.path },
      headers: [],
      body: { n: call.n },
      bodyInspected: true,
    },
    integration: { name: call.integration },
    action: call.action === undefined ? undefined : { name: call.action, approval: call.approval },
    otherActions: call.otherActions.map(({ name: other, isBySplit }) => ({ action: { name: other }, isBySplit })),
    now: 0,
  }));

/** All that is known of the call. */
function scopeOf({ agent, integration, action, otherActions = [], request }: Facts) {
  const { name, roles, trust, environment = null } = agent;
  const names = [...(action === undefined ? [] : [action]), ...otherActions.map((other) => other.action)];
  return {
    agent: { name, roles, trust, environment },
    integration: integration.name,
    actions: names.map((each) => each.name),
    method: request.method,
    host: request.target?.host ?? '',
  };
}

/** The scope with only some of what is known. */
const forgetting = fc.record({
  agent: fc.boolean(),
  roles: fc.boolean(),
  trust: fc.boolean(),
  environment: fc.boolean(),
  integration: fc.boolean(),
  actions: fc.boolean(),
  method: fc.boolean(),
  host: fc.boolean(),
});

type Forgetting = typeof forgetting extends fc.Arbitrary<infer Value> ? Value : never;

function forget({ agent, ...rest }: ReturnType<typeof scopeOf>, forgotten: Forgetting): DescriptorScope {
  const { name, ...more } = agent;
  const keep = <Members extends object>(members: Members) =>
    Object.fromEntries(Object.entries(members).filter(([key]) => !forgotten[key as keyof Forgetting]));
  return { ...(forgotten.agent ? {} : { agent: { name, ...keep(more) } }), ...keep(rest) };
}

function decisionOf(written: readonly Rule[], facts: Facts) {
  const isGlobal = (rule: Rule) => rule.effect === 'deny' && rule.hard === true;
  const bundle = { rules: written.filter((rule) => !isGlobal(rule)), global: { rules: written.filter(isGlobal) } };
  const {
    policyVersion: _version,
    micros: _micros,
    trace: _trace,
    ...decision
  } = decide(compilePolicy(bundle, { checkReferences: false }), facts);
  return decision;
}

const inScope = (written: readonly Rule[], scope: DescriptorScope) =>
  rulesInScope(
    written.map((spec) => ({ spec })),
    scope,
  ).map(({ spec }) => spec);

describe('rules in the scope of a descriptor', () => {
  it('decide as all rules would, whatever is known of the call', () => {
    fc.assert(
      fc.property(rules, calls, forgetting, (written, facts, forgotten) => {
        const told = inScope(written, forget(scopeOf(facts), forgotten));
        expect(decisionOf(told, facts)).toEqual(decisionOf(written, facts));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are the fewer the more is known', () => {
    fc.assert(
      fc.property(rules, calls, forgetting, (written, facts, forgotten) => {
        const [all, less] = [inScope(written, scopeOf(facts)), inScope(written, forget(scopeOf(facts), forgotten))];
        expect(less.length).toBeGreaterThanOrEqual(all.length - 1);
        expect(inScope(written, {})).toEqual(written);
      }),
    );
  });

  const ruleOf = (change: object) => ruleSchema.parse({ id: 'r', effect: 'allow', ...change });
  it.each([
    [{ agents: ['coder'] }, { agent: { name: 'coder' } }, true],
    [{ agents: ['coder'] }, { agent: { name: 'other' } }, false],
    [{ agents: ['role:dev'] }, { agent: { name: 'other' } }, true],
    [{ agents: ['role:dev'] }, { agent: { name: 'other', roles: [] } }, false],
    [{ agents: ['trust>=high'] }, { agent: { name: 'other', trust: 3 } }, true],
    [{ agents: ['trust>=high'] }, { agent: { name: 'other', trust: 2 } }, false],
    [{ agents: ['trust>=highest'] }, { agent: { name: 'other', trust: 0 } }, true],
    [{ agents: ['environment:dev'] }, { agent: { name: 'other' } }, true],
    [{ agents: ['environment:dev'] }, { agent: { name: 'other', environment: null } }, false],
    [{ integrations: ['github'] }, { integration: 'github' }, true],
    [{ integrations: ['*'] }, { integration: 'github' }, true],
    [{ integrations: ['slack'] }, { integration: 'github' }, false],
    [{ actions: ['read'] }, { actions: [] }, false],
    [{ actions: ['read'] }, { actions: ['write', 'read'] }, true],
    [{ methods: ['GET'] }, { method: 'POST' }, false],
    [{ hosts: ['a.example'] }, { host: 'a.example' }, true],
    [{ hosts: ['a.example'] }, { host: 'b.example' }, false],
    [{ paths: ['/elsewhere'] }, { host: 'b.example' }, true],
  ])('a rule on %j in the scope %j is told: %s', (change, scope, isTold) => {
    expect(inScope([ruleOf(change)], scope)).toHaveLength(isTold ? 1 : 0);
  });

  it('keep one rule that closes by paths, since paths that cannot be read hang on it', () => {
    const closing = ruleOf({ id: 'closing', effect: 'deny', integrations: ['slack'], paths: ['/admin/**'] });
    const open = ruleOf({ id: 'open' });
    expect(inScope([closing, open], { integration: 'github' })).toEqual([closing, open]);
    const shadow = { ...closing, shadow: true };
    expect(inScope([shadow, open], { integration: 'github' })).toEqual([open]);
  });
});
