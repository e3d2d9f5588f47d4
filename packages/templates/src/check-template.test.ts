import type { TemplateInput } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { checkSuccession, checkTemplate } from './check-template.ts';
import { testTemplate } from './template.fixture.ts';

type ActionInput = TemplateInput['actions'][number];

const faultsOf = (members: Partial<TemplateInput>) =>
  checkTemplate(testTemplate(members)).map(({ field, message }) => `${field}: ${message}`);
const action = (members: Partial<ActionInput>): ActionInput => {
  return { name: 'a', methods: ['POST'], paths: ['/v1/things'], risk: 'medium', ...members };
};

test('a good template has no fault', () => {
  expect(checkTemplate(testTemplate())).toEqual([]);
});

describe('a pattern that names nothing', () => {
  test.each([
    ['/**'],
    ['/*'],
    ['/*/**'],
    ['/**/'],
    ['/**/*'],
    ['/{owner}/{repo}'],
    ['/{owner}/{repo}/**'],
    ['/v1/**'],
    ['/v1/*'],
    ['/v1/{id}/**'],
    ['/*/{id}'],
  ])('is refused where it writes: %s', (path) => {
    expect(faultsOf({ actions: [action({ paths: ['/v1/things', path] })] })).toEqual([
      'actions[0].paths[1]: of action a: is too broad for POST: it names nothing below the base path; name what it is about, or make the action risk: high with approval: required',
    ]);
  });

  test.each([['/'], ['/v1'], ['/v1/things/**'], ['/v1/{id}/things'], ['/v2/**'], ['/**/things'], ['/*/things/*']])(
    'is not this one: %s',
    (path) => {
      expect(faultsOf({ actions: [action({ paths: [path] })] })).toEqual([]);
    },
  );

  test('is told of the base path by what stands there, not by its place alone', () => {
    const actions = [action({ paths: ['/v1/v1/**'] }), action({ name: 'b', paths: ['/things/**'] })];
    expect(faultsOf({ actions })).toEqual([]);
    expect(faultsOf({ baseUrl: 'https://api.acme.example', actions: [action({ paths: ['/v1/**'] })] })).toEqual([]);
  });

  test.each<[Partial<ActionInput>, boolean]>([
    [{ methods: ['GET'] }, true],
    [{ methods: ['GET', 'HEAD', 'OPTIONS'] }, true],
    [{ methods: ['GET', 'DELETE'] }, false],
    [{ methods: ['PROPFIND'] }, false],
    [{ risk: 'high', approval: 'required' }, true],
    [{ risk: 'high' }, false],
    [{ risk: 'medium', approval: 'required' }, false],
  ])('may stand in an action with %j: %s', (members, isFine) => {
    expect(faultsOf({ actions: [action({ paths: ['/**'], ...members })] })).toHaveLength(isFine ? 0 : 1);
  });
});

describe('patterns that no canonical path fits', () => {
  test.each([
    ['/v1/../admin', 'must not hold a dot segment'],
    ['/v1/%2e%2e/admin', 'must not hold a dot segment'],
    ['/v1/%2E%2E/admin', 'must not hold a dot segment'],
    ['/v1/a b', 'must be percent-encoded as in a canonical URL'],
    ['/v1/%41', 'must write %41 as A'],
    ['/v1/a\\b', 'must not hold a backslash'],
    ['/v1/a*', 'may use "*" and "**" only as a whole segment'],
    ['/v1/things?x=1', 'must be a path alone, without query or fragment'],
    ['/v1/{a/b}', 'may use {name} only as a whole segment, with letters, digits, ".", "_" or "-" inside'],
  ])('%s is refused, telling field and action', (path, message) => {
    const [fault] = checkTemplate(testTemplate({ actions: [action({}), action({ name: 'bad', paths: [path] })] }));
    expect(fault).toEqual({ field: 'actions[1].paths[0]', action: 'bad', message: `of action bad: ${message}` });
  });
});

describe('actions that cannot be told apart', () => {
  const both = (first: Partial<ActionInput>, second: Partial<ActionInput>) =>
    faultsOf({ actions: [action({ name: 'a', ...first }), action({ name: 'b', ...second })] });

  test.each([
    ['/v1/things', '/v1/things'],
    ['/v1/{id}/x', '/v1/*/x'],
    ['/v1/{id}/x', '/v1/{other}/x'],
    ['/v1/things/**', '/v1/things/**'],
    ['/v1/@me', '/v1/%40me'],
    ['/**/a/**', '/**/b/**'],
    ['/v1/**/a/**/z', '/v1/**/b/**/z'],
  ])('are refused: %s and %s', (first, second) => {
    expect(both({ paths: [first] }, { paths: [second] })).toEqual([
      `actions[1].paths[0]: of action b: cannot be told apart from action a: both cover POST ${second}`,
    ]);
  });

  test.each([
    ['/v1/things', '/v1/thing'],
    ['/v1/things', '/v1/things/'],
    ['/v1/things/*', '/v1/things/**'],
    ['/v1/*/x', '/v1/y/x'],
    ['/v1/*/x', '/v1/y/*'],
    ['/v1/a/**/z', '/v1/b/**/z'],
    ['/v1/**/a', '/v1/**/b'],
    ['/a/**/x/**', '/b/**/x/**'],
    ['/v1/a%2Fb', '/v1/a/b'],
  ])('are not %s and %s', (first, second) => {
    expect(both({ paths: [first] }, { paths: [second] })).toEqual([]);
  });

  test('may share a pattern where they share no method', () => {
    expect(both({ methods: ['POST'] }, { methods: ['PUT', 'PATCH'] })).toEqual([]);
    expect(both({ methods: ['POST', 'PUT'] }, { methods: ['PATCH', 'PUT'] })).toHaveLength(1);
  });

  test('are two: one may say a thing twice', () => {
    expect(faultsOf({ actions: [action({ paths: ['/v1/{a}/x', '/v1/{b}/x'] })] })).toEqual([]);
  });
});

test.each<[Partial<TemplateInput>, string]>([
  [{ actions: [action({ risk: undefined })] }, 'actions[0].risk: of action a: is required'],
  [
    { actions: [action({}), action({ methods: ['PUT'] })] },
    'actions[1].name: of action a: is the name of another action',
  ],
  [{ actions: [action({ volatile: ['x y'] })] }, 'actions[0].volatile[0]: of action a: must be a header name'],
  [{ actions: [action({ volatile: ['*'] })] }, 'actions[0].volatile[0]: of action a: must be a header name'],
  [{ baseUrl: 'http://api.acme.example/v1' }, 'baseUrl: must be https'],
  [{ baseUrl: 'https://api.acme.example/v1/' }, 'baseUrl: must be written https://api.acme.example/v1'],
  [{ baseUrl: 'https://API.acme.example:443/v1' }, 'baseUrl: must be written https://api.acme.example/v1'],
  [{ baseUrl: 'https://api.acme.example/a/../v1' }, 'baseUrl: must be written https://api.acme.example/v1'],
  [{ hosts: ['uploads.acme.example'] }, "hosts: must contain the base URL's host api.acme.example"],
  [{ hosts: ['api.acme.example', '0x7f.1'] }, 'hosts[1]: must be written 127.0.0.1'],
  [{ credential: { type: 'kerberos' } }, 'credential.type: must be one of none, bearer, header, query, basic'],
])('the fault of %j is told: %s', (members, fault) => {
  const [first, ...more] = faultsOf(members);
  expect(first?.startsWith(fault), first).toBe(true);
  expect(more).toEqual([]);
});

test.each([
  ['api.acme.example'],
  ['https://api.acme.example?x'],
  ['https://user:hunter2@api.acme.example'],
  ['ftp://x'],
])('the base URL %s is refused without repeating it', (baseUrl) => {
  const [fault] = faultsOf({ baseUrl, hosts: [] });
  expect(fault).toMatch(/^baseUrl: must be an https URL such as /);
  expect(fault).not.toContain('hunter2');
});

test('a template may leave its hosts open, and wait for header names by their beginnings', () => {
  expect(faultsOf({ hosts: [], actions: [action({ volatile: ['x-trace-*', 'X-Id'] })] })).toEqual([]);
});

test('all faults are told at once', () => {
  expect(
    faultsOf({ baseUrl: 'http://api.acme.example', hosts: [], actions: [action({ risk: undefined, paths: ['/**'] })] }),
  ).toHaveLength(3);
});

describe('a version after others', () => {
  const former = [
    { version: 3, provider: 'Acme' },
    { version: 1, provider: 'Acme' },
  ];

  test.each([
    [1, ['version']],
    [2, ['version']],
    [3, ['version']],
    [4, []],
    [10, []],
  ])('with the number %d has faults in %j', (version, fields) => {
    expect(checkSuccession(testTemplate({ version }), former).map(({ field }) => field)).toEqual(fields);
  });

  test('keeps the provider', () => {
    expect(checkSuccession(testTemplate({ version: 4, provider: 'Other' }), former)).toEqual([
      { field: 'provider', message: 'must be Acme, as in version 3: the provider never changes' },
    ]);
    expect(checkSuccession(testTemplate({ version: 4, provider: 'Other' }), [])).toEqual([]);
  });
});
