import { describe, expect, it } from 'vitest';
import { compilePolicy } from './compile-policy.ts';
import { type Decision, decide } from './decide.ts';
import { type FactChanges, factsOf } from './facts.test-support.ts';

function judge(rules: object[], changes: FactChanges = {}, global: object[] = []): Decision {
  return decide(compilePolicy({ rules, global: { rules: global } }), factsOf(changes));
}

const RULES = {
  allow: { id: 'allow', effect: 'allow' },
  require_approval: { id: 'approval', effect: 'require_approval' },
  deny: { id: 'deny', effect: 'deny' },
  hard: { id: 'hard', effect: 'deny', hard: true },
};
const { allow, require_approval: approval, deny, hard } = RULES;

describe('the lattice', () => {
  it.each([
    [[], 'deny', null, 'no rule allows this call'],
    [[allow], 'allow', 'allow', 'a rule allows this call'],
    [[approval], 'require_approval', 'approval', 'a person must approve this call'],
    [[deny], 'deny', 'deny', 'a rule refuses this call'],
    [[hard], 'deny', 'hard', 'a rule that nothing lifts refuses this call'],
    [[allow, approval], 'require_approval', 'approval', 'a person must approve this call'],
    [[allow, deny], 'deny', 'deny', 'a rule refuses this call'],
    [[approval, deny], 'deny', 'deny', 'a rule refuses this call'],
    [[allow, approval, deny], 'deny', 'deny', 'a rule refuses this call'],
    [[deny, hard], 'deny', 'hard', 'a rule that nothing lifts refuses this call'],
    [[allow, approval, deny, hard], 'deny', 'hard', 'a rule that nothing lifts refuses this call'],
  ])('%j gives %s by %s', (rules, outcome, rule, reason) => {
    for (const ordered of [rules, [...rules].reverse()]) {
      const decision = judge(ordered);
      expect(decision).toMatchObject({ outcome, rule, reason, hard: rule === 'hard', errors: [] });
      expect(decision.matched).toEqual(rules.map(({ id }) => id).sort());
    }
  });

  it('denies when rules exist but none matches', () => {
    expect(judge([{ ...allow, methods: ['POST'] }])).toMatchObject({ outcome: 'deny', rule: null, matched: [] });
  });

  it('holds a weaker, more specific rule against no stronger one', () => {
    const specific = { agents: ['coder'], integrations: ['github'], methods: ['GET'], paths: ['/repos/**'] };
    expect(judge([{ ...allow, ...specific }, deny])).toMatchObject({ outcome: 'deny', rule: 'deny' });
    expect(judge([{ ...deny, ...specific }, hard])).toMatchObject({ hard: true, rule: 'hard' });
  });

  it('leaves a disabled rule out', () => {
    expect(judge([allow, { ...deny, disabled: true }])).toMatchObject({ outcome: 'allow', matched: ['allow'] });
  });

  it('puts global rules over all rules of the tenant', () => {
    const global = { id: 'global', effect: 'deny', hard: true, hosts: ['api.github.com'] };
    expect(judge([allow, approval], {}, [global])).toMatchObject({ outcome: 'deny', rule: 'global', hard: true });
    const other = { request: { url: 'https://uploads.github.com/' } };
    expect(judge([allow], other, [global])).toMatchObject({ outcome: 'allow' });
  });
});

describe('a rule matches', () => {
  const action = { name: 'issues.read' };
  it.each([
    [{ agents: ['coder'] }, {}, { agent: { name: 'other' } }],
    [{ agents: ['role:developer'] }, {}, { agent: { roles: [] } }],
    [{ agents: ['trust>=medium'] }, {}, { agent: { trust: 1 } }],
    [{ agents: ['environment:dev'] }, {}, { agent: { environment: 'prod' } }],
    [{ integrations: ['github'] }, {}, { integration: { name: 'GitHub' } }],
    [{ actions: ['issues.read'] }, { action }, {}],
    [{ actions: ['issues.read'] }, { action }, { action: { name: 'issues' } }],
    [{ methods: ['GET'] }, {}, { request: { method: 'HEAD' } }],
    [{ hosts: ['api.github.com'] }, {}, { request: { url: 'https://github.com/repos' } }],
    [{ hosts: ['api.github.com'] }, {}, { request: { url: 'https://evil-api.github.com/repos' } }],
    [
      { hosts: ['api.github.com'] },
      { request: { url: 'https://api.github.com:8443/' } },
      { request: { url: 'https://x/' } },
    ],
    [{ paths: ['/repos/**'] }, {}, { request: { url: 'https://api.github.com/Repos/a' } }],
    [
      { paths: ['/p/a%2Fb/**'] },
      { request: { url: 'https://api.github.com/p/a%2fb/c' } },
      { request: { url: 'https://api.github.com/p/a/b/c' } },
    ],
    [{ paths: ['/repos/**'] }, {}, { request: { url: 'https://api.github.com/?x=/repos/a' } }],
    [{ paths: ['/a', '/repos/**'] }, {}, { request: { url: 'https://api.github.com/b' } }],
    [
      { agents: ['coder'], integrations: ['github'], methods: ['GET'], hosts: ['api.github.com'] },
      {},
      { request: { method: 'PUT' } },
    ],
  ] satisfies [object, FactChanges, FactChanges][])('%j for %j but not for %j', (rule, inside, outside) => {
    expect(judge([{ ...allow, ...rule }], inside)).toMatchObject({ outcome: 'allow', matched: ['allow'] });
    expect(judge([{ ...allow, ...rule }], outside)).toMatchObject({ outcome: 'deny', matched: [] });
  });

  it('for every agent and integration that "*" stands for', () => {
    expect(judge([{ ...allow, agents: ['*'], integrations: ['*'] }])).toMatchObject({ outcome: 'allow' });
  });

  it('the parts of a given target instead of the URL', () => {
    const target = { scheme: 'https', host: 'a.example', port: 443, path: '/x' };
    const rule = { ...allow, hosts: ['a.example'], paths: ['/x'] };
    expect(judge([rule], { request: { url: 'unread', target } })).toMatchObject({ outcome: 'allow' });
    const elsewhere = { request: { url: 'unread', target: { ...target, path: '/y' } } };
    expect(judge([rule], elsewhere)).toMatchObject({ outcome: 'deny' });
  });
});

describe('the rule that is told', () => {
  const told = (...rules: object[]) => {
    const named = rules.map((rule, position) => ({ id: String.fromCharCode(97 + position), effect: 'allow', ...rule }));
    const forward = judge(named).rule;
    expect(judge(named.reverse()).rule).toBe(forward);
    return forward;
  };

  it('is the one with more fields given', () => {
    expect(told({ paths: ['/repos/acme/site/issues'] }, { methods: ['GET'], agents: ['coder'] })).toBe('b');
    expect(told({ agents: ['coder', 'other'] }, {})).toBe('a');
  });

  it('does not count a list of "*" as given', () => {
    expect(told({ agents: ['*'], integrations: ['*'] }, { methods: ['GET'] })).toBe('b');
  });

  it('then the one with the longer literal prefix of the path', () => {
    expect(told({ paths: ['/repos/**'] }, { paths: ['/repos/acme/**'] })).toBe('b');
    expect(told({ methods: ['GET'] }, { paths: ['/repos/**'] })).toBe('b');
  });

  it('counting the pattern that matched, not the longest of the rule', () => {
    expect(told({ paths: ['/some/very/long/literal/path', '/**'] }, { paths: ['/repos/**'] })).toBe('b');
  });

  it('counting every pattern of a rule, and the empty segments of a prefix', () => {
    const call = { request: { url: 'https://api.github.com/x//y' } };
    const rules = [
      { ...allow, id: 'a', paths: ['/x/**'] },
      { ...allow, id: 'b', paths: ['/**', '/x//*'] },
    ];
    expect(judge(rules, call).rule).toBe('b');
  });

  it('then the one with the lesser id', () => {
    expect(told({ methods: ['GET'] }, { agents: ['coder'] })).toBe('a');
    expect(told({ paths: ['/repos/**'] }, { paths: ['/repos/*/**'] })).toBe('a');
  });
});

describe("an action's own approval", () => {
  const action = { name: 'issues.write', approval: 'required' };
  const named = { id: 'named', effect: 'allow', actions: ['issues.write', 'issues.read'] };

  it('acts as a require_approval rule', () => {
    const decision = {
      outcome: 'require_approval',
      rule: 'action:issues.write',
      reason: 'a person must approve this call',
    };
    expect(judge([], { action })).toMatchObject({ ...decision, matched: ['action:issues.write'] });
    expect(judge([allow], { action })).toMatchObject({ ...decision, matched: ['action:issues.write', 'allow'] });
    expect(judge([deny], { action })).toMatchObject({ outcome: 'deny', rule: 'deny' });
    expect(judge([hard], { action })).toMatchObject({ outcome: 'deny', rule: 'hard', hard: true });
  });

  it('tells a written rule that asks for an approval first', () => {
    expect(judge([approval], { action })).toMatchObject({ outcome: 'require_approval', rule: 'approval' });
  });

  it('is lifted by a matching allow rule that names the action, and by nothing else', () => {
    expect(judge([named], { action })).toMatchObject({ outcome: 'allow', rule: 'named', matched: ['named'] });
    expect(judge([named, approval], { action })).toMatchObject({ outcome: 'require_approval', rule: 'approval' });
    expect(judge([{ ...named, agents: ['other'] }, allow], { action })).toMatchObject({ rule: 'action:issues.write' });
    expect(judge([{ ...named, actions: ['issues.read'] }, allow], { action })).toMatchObject({
      outcome: 'require_approval',
    });
    expect(judge([{ ...named, effect: 'require_approval' }], { action })).toMatchObject({
      outcome: 'require_approval',
    });
  });

  it('counts as required unless it is absent or "none"', () => {
    expect(judge([allow], { action: { name: 'a' } }).outcome).toBe('allow');
    expect(judge([allow], { action: { name: 'a', approval: 'none' } }).outcome).toBe('allow');
    expect(judge([allow], { action: { name: 'a', approval: 'None' } }).outcome).toBe('require_approval');
    expect(judge([allow], { action: { name: 'a', approval: '' } }).outcome).toBe('require_approval');
  });
});

describe('facts that cannot be judged are denied', () => {
  it.each([
    [{ request: { url: 'nonsense' } }, 'the URL cannot be parsed'],
    [{ request: { url: '' } }, 'the URL cannot be parsed'],
    [{ request: { url: 'data:x' } }, 'the URL has no host or no path'],
    [{ request: { target: { scheme: 'https', host: 'a', port: 443, path: '' } } }, 'the URL has no host or no path'],
    [{ request: { target: { scheme: 'https', host: '', port: 443, path: '/' } } }, 'the URL has no host or no path'],
    [{ request: { method: 'get' } }, 'the method is not an upper-case token'],
    [{ request: { method: '' } }, 'the method is not an upper-case token'],
    [{ request: { method: 'GET ' } }, 'the method is not an upper-case token'],
    [{ request: { method: 'GET\n' } }, 'the method is not an upper-case token'],
    [{ agent: { trust: 5 } }, 'the trust of the agent is not 0 to 4'],
    [{ agent: { trust: -1 } }, 'the trust of the agent is not 0 to 4'],
    [{ agent: { trust: 1.5 } }, 'the trust of the agent is not 0 to 4'],
    [{ agent: { trust: Number.NaN } }, 'the trust of the agent is not 0 to 4'],
  ] satisfies [FactChanges, string][])('%j', (changes, message) => {
    expect(judge([allow], changes)).toMatchObject({
      outcome: 'deny',
      rule: null,
      reason: 'the call could not be judged',
      matched: [],
      errors: [{ rule: null, message }],
    });
  });

  it.each([0, 4])('but trust %i is judged', (trust) => {
    expect(judge([allow], { agent: { trust } }).outcome).toBe('allow');
  });
});

describe('a decision', () => {
  it('names the policy version and whole microseconds', () => {
    const policy = compilePolicy({ rules: [allow] });
    const decision = decide(policy, factsOf());
    expect(decision.policyVersion).toBe(policy.version);
    expect(Number.isInteger(decision.micros) && decision.micros >= 0).toBe(true);
  });

  it('traces the rules it looked at, by id, unless told not to', () => {
    const policy = compilePolicy({ rules: [{ ...deny, agents: ['trust>=high'] }, allow, approval] });
    expect(decide(policy, factsOf()).trace).toEqual([
      { rule: 'allow', matched: true },
      { rule: 'approval', matched: true },
      { rule: 'deny', matched: false },
    ]);
    expect(decide(policy, factsOf(), { trace: false })).toMatchObject({ trace: [], matched: ['allow', 'approval'] });
  });

  it('holds nothing of the rules in its reason', () => {
    const secretive = { id: 'merger-with-globex', effect: 'deny', paths: ['/repos/**'] };
    expect(judge([secretive]).reason).toBe('a rule refuses this call');
  });

  it('tells a rule once that several keys of the index lead to', () => {
    const rule = { ...allow, agents: ['coder', 'role:developer', 'role:ops'], paths: ['/repos/**', '/repos/*/**'] };
    const decision = judge([rule], { agent: { roles: ['developer', 'ops'] } });
    expect(decision).toMatchObject({ matched: ['allow'], trace: [{ rule: 'allow', matched: true }] });
  });
});
