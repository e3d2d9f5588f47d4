import { describe, expect, it } from 'vitest';
import { compilePolicy, type PolicyBundle } from './compile-policy.ts';
import { PolicyError, type PolicyIssue } from './policy-error.ts';

function issuesOf(bundle: PolicyBundle, options = {}): readonly PolicyIssue[] {
  try {
    compilePolicy(bundle, options);
  } catch (error) {
    if (error instanceof PolicyError) return error.issues;
    throw error;
  }
  return [];
}

const allow = { id: 'r', effect: 'allow' };
const issueOf = (rule: object) => issuesOf({ rules: [{ ...allow, ...rule }] });

describe('compilePolicy accepts', () => {
  it.each([
    {},
    { effect: 'deny' },
    { effect: 'deny', hard: true },
    { effect: 'deny', hard: false },
    { effect: 'allow', hard: false },
    { effect: 'require_approval' },
    { disabled: true },
    { when: undefined },
    { when: 'agent.trust >= 2 && request.body.amount <= 5000' },
    { when: 'request.body.dryRun' },
    { shadow: true },
    { effect: 'deny', hard: true, shadow: true, when: 'true' },
    { effect: 'rate_limit', limit: { requests: 1, perSeconds: 1 } },
    { effect: 'rate_limit', limit: { requests: 1_000_000, perSeconds: 2_678_400, per: ['agent', 'tenant', 'host'] } },
    {
      effect: 'rate_limit',
      limit: { requests: 1, perSeconds: 1, per: ['integration', 'action', 'method'] },
      when: 'true',
    },
    { effect: 'require_approval', approval: {} },
    {
      effect: 'require_approval',
      approval: { approvers: 2, groups: ['ops', 'legal'], pendingSeconds: 60, grant: 'times', executeSeconds: 60 },
    },
    { agents: ['coder', 'role:dev', 'trust>=high', 'trust>=4', 'environment:prod'] },
    { agents: ['*'], integrations: ['*'] },
    { integrations: ['github'], actions: ['issues.read'], methods: ['GET', 'M-SEARCH'] },
    { hosts: ['api.github.com', '127.0.0.1', '[::1]', 'localhost'], paths: ['/a/{b}/**'] },
  ])('a rule with %j', (rule) => {
    expect(issueOf(rule)).toEqual([]);
  });

  it('an empty bundle, which denies everything', () => {
    expect(compilePolicy({}).rules).toEqual([]);
  });

  it('a whole configuration document', () => {
    const sections = { version: 1, tenant: 'default', templates: [], redaction: {}, secrets: {}, notifications: [] };
    expect(issuesOf({ ...sections, rules: [allow] } as PolicyBundle)).toEqual([]);
  });

  it('the default values of risk', () => {
    expect(issuesOf({ risk: { review: 0.5, deny: 0.9, scorer: null } })).toEqual([]);
    expect(issuesOf({ risk: null })).toEqual([]);
  });
});

describe('compilePolicy refuses', () => {
  const effects = 'must be allow, deny, require_approval, rate_limit';
  const limited = { effect: 'rate_limit', limit: { requests: 1, perSeconds: 1 } };
  const limit = (changes: object) => ({ ...limited, limit: { ...limited.limit, ...changes } });
  const dimensions = 'must be a list of tenant, agent, integration, action, method, host, each at most once';
  const asking = (approval: unknown) => ({ effect: 'require_approval', approval });
  const wholeMonth = 'must be a whole number from 1 to 2592000';
  const groups = 'must be a list of at most 20 names, each once';
  it.each([
    [{ when: '' }, 'when', 'must be an expression; leave it out to match always'],
    [{ when: true }, 'when', 'must be an expression; leave it out to match always'],
    [{ when: null }, 'when', 'must be an expression; leave it out to match always'],
    [{ shadow: 'true' }, 'shadow', 'must be true or false'],
    [{ risk: 'high' }, 'risk', 'is not a field of a rule'],
    [{ labels: ['pii'] }, 'labels', 'is not a field of a rule'],
    [{ limit: { requests: 1, perSeconds: 1 } }, 'limit', 'goes with effect rate_limit only'],
    [{ effect: 'rate_limit' }, 'limit', 'must have requests, perSeconds and per'],
    [{ ...limited, limit: 60 }, 'limit', 'must have requests, perSeconds and per'],
    [{ ...limited, hard: true }, 'hard', 'goes with effect deny only'],
    [limit({ requests: 0 }), 'limit.requests', 'must be a whole number from 1 to 1000000'],
    [limit({ requests: 1_000_001 }), 'limit.requests', 'must be a whole number from 1 to 1000000'],
    [limit({ requests: undefined }), 'limit.requests', 'must be a whole number from 1 to 1000000'],
    [limit({ perSeconds: 0 }), 'limit.perSeconds', 'must be a whole number from 1 to 2678400'],
    [limit({ perSeconds: -1 }), 'limit.perSeconds', 'must be a whole number from 1 to 2678400'],
    [limit({ perSeconds: 0.5 }), 'limit.perSeconds', 'must be a whole number from 1 to 2678400'],
    [limit({ perSeconds: '60' }), 'limit.perSeconds', 'must be a whole number from 1 to 2678400'],
    [limit({ window: 1 }), 'limit.window', 'is not a field of limit'],
    [limit({ per: [] }), 'limit.per', dimensions],
    [limit({ per: 'agent' }), 'limit.per', dimensions],
    [limit({ per: ['agent', 'agent'] }), 'limit.per', dimensions],
    [limit({ per: ['path'] }), 'limit.per', dimensions],
    [{ approval: { approvers: 2 } }, 'approval', 'goes with effect require_approval only'],
    [asking(2), 'approval', 'must have approvers, groups, pendingSeconds, grant, executeSeconds, each optional'],
    [asking({ approvers: 0 }), 'approval.approvers', 'must be a whole number from 1 to 20'],
    [asking({ approvers: 21 }), 'approval.approvers', 'must be a whole number from 1 to 20'],
    [asking({ pendingSeconds: 0 }), 'approval.pendingSeconds', wholeMonth],
    [asking({ executeSeconds: 2_592_001 }), 'approval.executeSeconds', wholeMonth],
    [asking({ grant: 'always' }), 'approval.grant', 'must be once, times, until, rule'],
    [asking({ groups: ['ops', 'ops'] }), 'approval.groups', groups],
    [asking({ groups: [''] }), 'approval.groups', groups],
    [asking({ quorum: 2 }), 'approval.quorum', 'is not a field of approval'],
    [{ effect: 'permit' }, 'effect', effects],
    [{ effect: 'Allow' }, 'effect', effects],
    [{ effect: undefined }, 'effect', effects],
    [{ hard: true }, 'hard', 'goes with effect deny only'],
    [{ effect: 'require_approval', hard: true }, 'hard', 'goes with effect deny only'],
    [{ effect: 'deny', hard: 'true' }, 'hard', 'must be true or false'],
    [{ disabled: 1 }, 'disabled', 'must be true or false'],
    [{ agent: ['coder'] }, 'agent', 'is not a field of a rule'],
    [{ agents: [] }, 'agents', 'must be a list with at least one item; leave it out to select all'],
    [{ paths: null }, 'paths', 'must be a list with at least one item; leave it out to select all'],
    [{ methods: 'GET' }, 'methods', 'must be a list with at least one item; leave it out to select all'],
    [{ methods: ['GET', 7] }, 'methods[1]', 'must be a string'],
    [{ methods: ['GET', 'GET'] }, 'methods[1]', 'repeats an item of the list'],
    [{ methods: ['get'] }, 'methods[0]', 'must be an upper-case HTTP method such as GET'],
    [{ methods: ['*'] }, 'methods[0]', 'must be an upper-case HTTP method such as GET'],
    [{ methods: ['CONNECT'] }, 'methods[0]', 'CONNECT and TRACE are never forwarded'],
    [{ actions: ['*'] }, 'actions[0]', 'must be a name of 1 to 64 letters, digits, ".", "_" or "-"'],
    [{ integrations: ['a b'] }, 'integrations[0]', 'must be a name of 1 to 64 letters, digits, ".", "_" or "-"'],
    [{ agents: ['owner:x'] }, 'agents[0]', 'must be an agent name, role:NAME, environment:NAME or trust>=LEVEL'],
    [{ agents: ['trust>=5'] }, 'agents[0]', 'must compare trust with untrusted, low, medium, high, admin or 0 to 4'],
    [{ paths: ['/a', 'b'] }, 'paths[1]', 'must begin with "/"'],
    [{ paths: ['/a/b*'] }, 'paths[0]', 'may use "*" and "**" only as a whole segment'],
    [{ hosts: ['0x7f.1'] }, 'hosts[0]', 'must be written 127.0.0.1'],
    [{ hosts: ['[0::1]'] }, 'hosts[0]', 'must be written [::1]'],
  ])('a rule with %j', (rule, field, message) => {
    expect(issueOf(rule)).toEqual([{ ruleId: 'r', field, message }]);
  });

  it.each([
    'API.github.com',
    'api.github.com.',
    '*.github.com',
    'api.github.com:443',
    'https://a',
    '',
    'ä.de',
    '*',
    'a/b',
  ])('the host %j', (host) => {
    expect(issueOf({ hosts: [host] })).toMatchObject([{ ruleId: 'r', field: 'hosts[0]' }]);
  });

  it('a rule that is none, or has no usable id, naming its place', () => {
    const message = 'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit';
    expect(
      issuesOf({ rules: [7 as never, { effect: 'allow', methods: ['get'] }, { id: 'a:b', effect: 'allow' }] }),
    ).toEqual([
      { ruleId: null, field: 'rules[0]', message: 'must be a rule with id and effect' },
      { ruleId: null, field: 'rules[1].id', message },
      { ruleId: null, field: 'rules[1].methods[0]', message: 'must be an upper-case HTTP method such as GET' },
      { ruleId: null, field: 'rules[2].id', message },
    ]);
  });

  it('a rule id that another rule has, be it disabled or global', () => {
    const again = [{ ruleId: 'r', field: 'id', message: 'is the id of another rule' }];
    expect(issuesOf({ rules: [allow, { ...allow, effect: 'deny' }] })).toEqual(again);
    expect(issuesOf({ rules: [{ ...allow, disabled: true }, allow] })).toEqual(again);
    expect(issuesOf({ rules: [allow], global: { rules: [{ id: 'r', effect: 'deny', hard: true }] } })).toEqual(again);
  });

  it('sections that are none or have the wrong shape', () => {
    const bundle = { rule: [], rules: {}, agents: {}, integrations: 'x', global: { rule: [] }, risk: 1 };
    expect(
      issuesOf(bundle as unknown as PolicyBundle)
        .map((issue) => issue.field)
        .sort(),
    ).toEqual(['agents', 'global.rule', 'integrations', 'risk', 'rule', 'rules']);
    expect(issuesOf({ global: [] })).toEqual([{ ruleId: null, field: 'global', message: 'must have rules' }]);
    expect(issuesOf(null as never)).toHaveLength(1);
    expect(issuesOf([] as never)).toHaveLength(1);
  });

  it('thresholds of risk that no score could have', () => {
    const risk = { review: 1.1, deny: '0.9', scorer: 'https://a', other: 1 };
    expect(issuesOf({ risk })).toEqual([
      { ruleId: null, field: 'risk.review', message: 'must be a number from 0 to 1' },
      { ruleId: null, field: 'risk.deny', message: 'must be a number from 0 to 1' },
      { ruleId: null, field: 'risk.scorer', message: 'must be null or a scorer' },
      { ruleId: null, field: 'risk.other', message: 'is not a field of risk' },
    ]);
    for (const review of [-0.1, Number.NaN]) expect(issuesOf({ risk: { review } }).length).toBeGreaterThan(0);
    expect(issuesOf({ risk: { review: 0, deny: 1, scorer: { baseUrl: 'https://a' } } })).toEqual([]);
  });

  it('a condition, with the position of its fault', () => {
    expect(issueOf({ when: 'agent.trust >= 2 && agent.age > 7' })).toEqual([
      { ruleId: 'r', field: 'when', position: 26, message: 'is no valid expression: No such key: age' },
    ]);
    expect(() => compilePolicy({ rules: [{ ...allow, when: 'agent.trust' }] })).toThrow(
      'rule r: when at 0 must be true or false, and is int',
    );
    expect(issuesOf({ rules: [{ effect: 'allow', when: '1 +' }] })).toMatchObject([
      { field: 'rules[0].id' },
      { ruleId: null, field: 'rules[0].when', position: 3 },
    ]);
  });

  it('a condition of a rate limit that counts by itself', () => {
    const message = 'names count.day, but a rate limit counts by itself: say how many in limit';
    expect(issueOf({ ...limited, when: 'agent.trust > 1 && count.day > 5' })).toEqual([
      { ruleId: 'r', field: 'when', position: 25, message },
    ]);
  });

  it('a condition on a body that all actions of the rule pass as it comes', () => {
    const actions = [{ name: 'up', body: 'stream' }, { name: 'down' }];
    const integrations = [{ name: 'files', actions }];
    const when = 'request.body == null';
    const rule = (changes: object) => ({ integrations, rules: [{ ...allow, when, ...changes }] });
    expect(issuesOf(rule({ actions: ['up'] }))).toMatchObject([{ ruleId: 'r', field: 'when', position: 8 }]);
    expect(issuesOf(rule({ actions: ['up', 'down'] }))).toEqual([]);
    expect(issuesOf(rule({ actions: ['down'] }))).toEqual([]);
    expect(issuesOf(rule({}))).toEqual([]);
    expect(issuesOf(rule({ actions: ['up'], when: 'request.bodyInspected' }))).toEqual([]);
    expect(issuesOf(rule({ actions: ['up'] }), { checkReferences: false })).toEqual([]);
  });

  it('what is no plain JSON data', () => {
    const agents = [{ name: 'coder', at: new Date(0) }];
    expect(issuesOf({ agents })).toEqual([
      { ruleId: null, field: 'agents', message: 'holds an object that is not plain data' },
    ]);
  });

  it('with all faults at once, in order, and says them in the message', () => {
    const rules = [
      { id: 'one', effect: 'allow', methods: ['get', 'post'], paths: [] },
      { id: 'two', effect: 'maybe', when: 'maybe' },
    ];
    expect(issuesOf({ rules }).map(({ ruleId, field }) => `${ruleId} ${field}`)).toEqual([
      'one methods[0]',
      'one methods[1]',
      'one paths',
      'two effect',
      'two when',
    ]);
    expect(() => compilePolicy({ rules })).toThrow(
      /rule one: methods\[0\] must be .*; rule two: when at 0 is no valid expression/,
    );
  });
});

describe('global rules', () => {
  it('may be hard denies, on names this tenant does not have', () => {
    const global = { rules: [{ id: 'g', effect: 'deny', hard: true, agents: ['foreign'], integrations: ['foreign'] }] };
    expect(issuesOf({ global, agents: [{ name: 'a' }], integrations: [{ name: 'i' }] })).toEqual([]);
  });

  it.each([
    [{ effect: 'deny' }, 'hard'],
    [{ effect: 'deny', hard: false }, 'hard'],
    [{ effect: 'allow' }, 'effect'],
    [{ effect: 'require_approval' }, 'effect'],
    [{ effect: 'rate_limit', limit: { requests: 1, perSeconds: 1 } }, 'effect'],
  ])('may not be %j', (rule, field) => {
    expect(issuesOf({ global: { rules: [{ id: 'g', ...rule }] } })).toMatchObject([{ ruleId: 'g', field }]);
  });
});

describe('references', () => {
  const bundle = {
    agents: [{ name: 'coder' }],
    integrations: [
      { name: 'github', actions: [{ name: 'issues.read' }] },
      { name: 'slack', actions: [] },
    ],
  };
  const refer = (rule: object, options = {}) => issuesOf({ ...bundle, rules: [{ ...allow, ...rule }] }, options);

  it('to listed names and to roles, trust and environments are fine', () => {
    expect(refer({ agents: ['coder', 'role:x', 'trust>=1', 'environment:y'], integrations: ['github'] })).toEqual([]);
    expect(refer({ actions: ['issues.read'] })).toEqual([]);
    expect(refer({ integrations: ['github', 'slack'], actions: ['issues.read'] })).toEqual([]);
  });

  it('to unlisted names are refused', () => {
    expect(refer({ agents: ['coder', 'ghost'], integrations: ['gitlab'] })).toEqual([
      { ruleId: 'r', field: 'agents[1]', message: 'names an unknown agent' },
      { ruleId: 'r', field: 'integrations[0]', message: 'names an unknown integration' },
    ]);
    expect(refer({ integrations: ['slack'], actions: ['issues.read'] })).toEqual([
      { ruleId: 'r', field: 'actions[0]', message: 'names an action that no integration of the rule has' },
    ]);
  });

  it('are checked in disabled rules too', () => {
    expect(refer({ agents: ['ghost'], disabled: true })).toHaveLength(1);
  });

  it('are not checked when told so, or when the bundle has no list', () => {
    const rule = { agents: ['ghost'], integrations: ['gitlab'], actions: ['x'] };
    expect(refer(rule, { checkReferences: false })).toEqual([]);
    expect(issuesOf({ rules: [{ ...allow, ...rule }] })).toEqual([]);
  });

  it('are held against an empty list', () => {
    const rule = { ...allow, agents: ['ghost'], integrations: ['gitlab'] };
    const fields = issuesOf({ agents: [], integrations: [], rules: [rule] }).map(({ field }) => field);
    expect(fields).toEqual(['agents[0]', 'integrations[0]']);
  });

  it('to actions are not checked where a template may bring them', () => {
    const integrations = [{ name: 'github', template: 'github@1', actions: [] }];
    expect(issuesOf({ integrations, rules: [{ ...allow, actions: ['repos.read'] }] })).toEqual([]);
  });
});

describe('the policy version', () => {
  const rule = { id: 'r', effect: 'deny', methods: ['GET', 'PUT'], paths: ['/a'] };
  const version = (bundle: PolicyBundle) => compilePolicy(bundle).version;

  it('is the same for the same content in another order of keys, and 64 hexadecimal digits', () => {
    const left = version({ rules: [rule], agents: [{ name: 'a', trust: 'low' }], global: { rules: [] } });
    const right = version({
      global: { rules: [] },
      agents: [{ trust: 'low', name: 'a' }],
      rules: [{ paths: ['/a'], methods: ['GET', 'PUT'], effect: 'deny', id: 'r' }],
    });
    expect(left).toBe(right);
    expect(left).toMatch(/^[0-9a-f]{64}$/);
  });

  it('changes with every change inside a section, and with no other section', () => {
    const base = version({ rules: [rule] });
    expect(version({ rules: [{ ...rule, paths: ['/b'] }] })).not.toBe(base);
    expect(version({ rules: [{ ...rule, disabled: true }] })).not.toBe(base);
    expect(version({ rules: [rule], agents: [] })).not.toBe(base);
    expect(version({ rules: [rule], secrets: { a: { value: 'x' } } } as PolicyBundle)).toBe(base);
  });
});
