import { describe, expect, it } from 'vitest';
import type { Facts } from './call.ts';
import { compilePolicy } from './compile-policy.ts';
import { decide } from './decide.ts';
import { explain } from './explain.ts';
import { factsOf } from './facts.test-support.ts';
import { type ActionPatterns, compileActions } from './match-action.ts';

function judge(rules: readonly object[], path: string, actions: readonly ActionPatterns[] = [], method = 'GET') {
  const target = { scheme: 'https', host: 'h.example', port: 443, path };
  const request = { method, url: `https://h.example${path}`, target };
  const facts: Facts = { ...factsOf({ request }), ...compileActions(actions).match(method, path) };
  return decide(compilePolicy({ rules }, { riskRaises: false }), facts);
}

const all = { id: 'all', effect: 'allow' };

describe('a rule that opens', () => {
  const paths = { id: 'open', effect: 'allow', paths: ['/public/*', '/v1/{name}/read'] };

  it.each([
    '/public/a',
    '/public/A',
    '/public/a%2Fb',
    '/public/a;v=1',
    '/public/a%20b',
    '/v1/a.b/read',
    '/public/100%25',
  ])('covers %s as it is written', (path) => {
    expect(judge([paths], path).outcome).toBe('allow');
  });

  it.each([
    '//public/a',
    '/public//a',
    '/public/a/',
    '/Public/a',
    '/public/a%252Fb',
    '/public/a%EF%BC%8Fb',
    '/public/;a',
    '/public/%252e%252e',
    '/public/a%2500',
    '/v1/%252e/read',
  ])('does not cover %s, which may be something else', (path) => {
    expect(judge([paths], path).outcome).toBe('deny');
  });

  it('covers a pattern that is written the odd way', () => {
    const odd = { id: 'odd', effect: 'allow', paths: ['/A//b;v=1/', '/x/%2561/*'] };
    expect(judge([odd], '/A//b;v=1/').outcome).toBe('allow');
    expect(judge([odd], '/x/%2561/y').outcome).toBe('allow');
    expect(judge([odd], '/A/b').outcome).toBe('deny');
  });
});

describe('a rule that asks for an approval', () => {
  const ask = { id: 'ask', effect: 'require_approval', paths: ['/pay'] };

  it('closes what is allowed, however it is spelled', () => {
    for (const path of ['/pay', '//pay', '/Pay', '/pay/', '/%2570ay', '/pay%3Fx']) {
      expect(judge([all, ask], path)).toMatchObject({ outcome: 'require_approval', rule: 'ask' });
    }
  });

  it('opens what it is written for, and no other spelling', () => {
    expect(judge([ask], '/pay').outcome).toBe('require_approval');
    for (const path of ['//pay', '/Pay', '/pay/', '/%2570ay']) {
      expect(judge([ask], path)).toMatchObject({ outcome: 'deny', rule: null, matched: ['ask'] });
    }
  });

  it('counts with a condition that fails, but not because of the path', () => {
    const failing = { id: 'f', effect: 'require_approval', when: 'count.day > 1 || request.path == "/x"' };
    expect(judge([failing], '/pay').outcome).toBe('require_approval');
    expect(judge([failing], '/x/%252e%252e/pay').outcome).toBe('deny');
    expect(judge([all, failing], '/x/%252e%252e/pay').outcome).toBe('require_approval');
  });
});

describe('a path that cannot be read', () => {
  const path = '/x/%252e%252e/pay';
  const rules = [
    { id: 'deny', effect: 'deny', paths: ['/other'] },
    { id: 'ask', effect: 'require_approval', paths: ['/other'] },
    { id: 'pace', effect: 'rate_limit', paths: ['/other'], limit: { requests: 1, perSeconds: 1 } },
  ];

  it.each(rules)('is refused where the rule $id closes some paths, whichever', (rule) => {
    const error = 'the path would be none if it were decoded once more';
    expect(judge([all, rule], path)).toMatchObject({
      outcome: 'deny',
      rule: null,
      errors: [{ rule: null, message: error }],
    });
    expect(judge([all, rule], '/x/%252e/pay').outcome).toBe('deny');
    expect(judge([all, rule], '/x/%25/pay').outcome).toBe('allow');
  });

  it('is judged where none does, and a rule in shadow changes nothing', () => {
    expect(judge([all], path).outcome).toBe('allow');
    expect(judge([all, { ...rules[0], shadow: true }], path)).toMatchObject({ outcome: 'allow', errors: [] });
    expect(judge([all, { ...rules[0], disabled: true }], path).outcome).toBe('allow');
    expect(judge([{ ...all, paths: ['/**'] }], path).outcome).toBe('deny');
  });
});

describe('the action of a call', () => {
  const actions = [
    { name: 'users.get', methods: ['GET'], paths: ['/users/{id}'] },
    { name: 'users.me', methods: ['GET'], paths: ['/users/me'], approval: 'required', risk: 'high' },
    { name: 'any', methods: ['GET'], paths: ['/**'], risk: 'low' },
  ];
  const get = { id: 'get', effect: 'allow', actions: ['users.get'] };
  const both = { id: 'both', effect: 'allow', actions: ['users.get', 'users.me'] };

  it('asks for its approval in every spelling', () => {
    for (const path of ['/users/me', '/users/ME', '/users//me', '/users/me/', '/users%2Fme', '/users/%256de']) {
      expect(judge([all], path, actions)).toMatchObject({ outcome: 'require_approval', rule: 'action:users.me' });
    }
    expect(judge([all], '/users/7', actions).outcome).toBe('allow');
    expect(judge([all], '/x/%252e%252e/users/me', actions).rule).toBe('action:users.me');
  });

  it('is allowed by a rule that names all that it may be', () => {
    expect(judge([get], '/users/7', actions).outcome).toBe('allow');
    expect(judge([get], '/users/ME', actions).outcome).toBe('deny');
    expect(judge([both], '/users/ME', actions)).toMatchObject({ outcome: 'allow', rule: 'both' });
    expect(judge([both], '/users/me', actions).outcome).toBe('allow');
    expect(judge([both], '/users/7;v=1', actions).outcome).toBe('allow');
    expect(judge([both], '/users/7/', actions).outcome).toBe('deny');
  });

  it('does not hang on what an upstream would read in %2F for a rule that opens', () => {
    const projects = [
      { name: 'project', methods: ['GET'], paths: ['/projects/{id}'] },
      { name: 'secrets', methods: ['GET'], paths: ['/projects/{id}/secrets'] },
    ];
    const open = { id: 'open', effect: 'allow', actions: ['project'] };
    const close = { id: 'close', effect: 'deny', actions: ['secrets'] };
    expect(judge([open], '/projects/group%2Fproject', projects).outcome).toBe('allow');
    expect(judge([open], '/projects/group%2Fsecrets', projects).outcome).toBe('allow');
    expect(judge([open, close], '/projects/group%2Fsecrets', projects)).toMatchObject({
      outcome: 'deny',
      rule: 'close',
    });
    expect(judge([open], '/projects/group%252Fsecrets', projects).outcome).toBe('deny');
  });

  it('is no more general one for an id with a slash in it', () => {
    const methods = ['POST'];
    const gitlab = [
      { name: 'issues.write', methods, paths: ['/projects/{id}/issues/**'] },
      { name: 'other.write', methods, paths: ['/**'], risk: 'high', approval: 'required' },
      { name: 'secrets.write', methods, paths: ['/projects/{id}/variables/**'], approval: 'required' },
    ];
    const named = { id: 'named', effect: 'allow', actions: ['issues.write'] };
    expect(judge([named], '/projects/group%2Fproject/issues', gitlab, 'POST').rule).toBe('named');
    expect(judge([named], '/projects/group%252Fproject/issues', gitlab, 'POST').outcome).toBe('deny');
    expect(judge([all], '/projects/1%2Fvariables', gitlab, 'POST').rule).toBe('action:other.write');
    const without = gitlab.filter(({ name }) => name !== 'other.write');
    expect(judge([all], '/projects/1%2Fvariables', without, 'POST').rule).toBe('action:secrets.write');
  });

  it('is the one whose spelling the path has, where two differ in letters alone', () => {
    const methods = ['POST'];
    const slack = [
      { name: 'post', methods, paths: ['/api/chat.postMessage'] },
      { name: 'other', methods, paths: ['/api/{method}'], approval: 'required' },
    ];
    const post = { id: 'post', effect: 'allow', actions: ['post'] };
    expect(judge([post], '/api/chat.postMessage', slack, 'POST').outcome).toBe('allow');
    expect(judge([post], '/api/chat.postmessage', slack, 'POST').outcome).toBe('deny');
    expect(judge([all], '/api/chat.postmessage', slack, 'POST').rule).toBe('action:other');
  });

  it('raises the risk in every spelling, and spends the windows of all that it may be', () => {
    const limit = { requests: 1, perSeconds: 60, per: ['action'] };
    const rules = [
      { id: 'all', effect: 'allow', when: 'risk.score < 0.5' },
      { id: 'pace', effect: 'rate_limit', limit },
    ];
    expect(judge(rules, '/users/7', actions)).toMatchObject({ outcome: 'allow' });
    expect(judge(rules, '/users/ME', actions)).toMatchObject({ outcome: 'deny', rule: null });
    expect(judge(rules, '/users/ME', actions).limits.map(({ key }) => key)).toEqual([
      '["default","pace","users.get"]',
      '["default","pace","users.me"]',
    ]);
  });
});

describe('a condition on the path or the action', () => {
  it('that closes is met by another reading', () => {
    const close = {
      id: 'close',
      effect: 'deny',
      when: 'request.path.startsWith("/admin/") && request.segments[1] == "x"',
    };
    for (const path of [
      '/admin/x',
      '//admin//x',
      '/admin;v=1/x',
      '/%2561dmin/x',
      '/admin%252Fx',
      '/y/%252e%252e/admin/x',
    ])
      expect(judge([all, close], path)).toMatchObject({ outcome: 'deny', rule: 'close' });
    for (const path of ['/Admin/x', '/admin%2Fx', '/admin%20/x', '/user/x'])
      expect(judge([all, close], path).outcome).toBe('allow');
  });

  it('that opens holds for what is written, and for what an encoding hides', () => {
    const open = {
      id: 'open',
      effect: 'allow',
      when: 'request.segments.size() == 2 && request.path.startsWith("/a/")',
    };
    for (const path of ['/a/b', '/a/b%2Fc', '/a/;v=1', '/a/']) expect(judge([open], path).outcome).toBe('allow');
    for (const path of ['/a/b%252Fc', '/a/%252e%252e', '/a/b/c', '//a/b'])
      expect(judge([open], path).outcome).toBe('deny');
  });

  it('tells in the trace why it counts for an unreadable path', () => {
    const close = { id: 'close', effect: 'deny', when: 'request.path == "/x"' };
    const path = '/a/%252e%252e/b';
    const facts = factsOf({ request: { url: `https://h.example${path}` } });
    expect(explain(compilePolicy({ rules: [all, close] }), facts).trace).toMatchObject([
      { rule: 'all', matched: true },
      { rule: 'close', matched: true, error: 'reads a path that upstreams read in different ways' },
    ]);
  });

  it('reads a body once, and the risk of the call', () => {
    let reads = 0;
    const body = () => {
      reads += 1;
      return { n: 2 };
    };
    const rules = [
      all,
      { id: 'close', effect: 'deny', when: 'request.path == "/a" && request.body.n > 1 && risk.score < 2.0' },
    ];
    const facts = factsOf({ request: { url: 'https://h.example//a', method: 'POST', body, bodyInspected: true } });
    expect(decide(compilePolicy({ rules }), facts)).toMatchObject({ outcome: 'deny', rule: 'close' });
    expect(reads).toBe(1);
  });
});
