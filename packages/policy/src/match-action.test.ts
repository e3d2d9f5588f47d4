import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ActionPatterns, compileActions, matchAction } from './match-action.ts';
import { matchPath } from './path-pattern.ts';
import { PolicyError } from './policy-error.ts';

const actions: ActionPatterns[] = [
  { name: 'anything.read', methods: ['GET', 'HEAD'], paths: ['/**'] },
  { name: 'issues.read', methods: ['GET', 'HEAD'], paths: ['/repos/{owner}/{repo}/issues/**'] },
  { name: 'issues.write', methods: ['POST', 'PATCH'], paths: ['/repos/{owner}/{repo}/issues/**'] },
  { name: 'acme.read', methods: ['GET'], paths: ['/repos/acme/**'] },
  { name: 'issue.list', methods: ['GET'], paths: ['/repos/{owner}/{repo}/issues'] },
  { name: 'labels.read', methods: ['GET'], paths: ['/repos/*/*/issues/**/labels'] },
  { name: 'user.read', methods: ['GET'], paths: ['/user', '/users/{name}'] },
];

describe('matchAction', () => {
  it.each([
    ['GET', '/', 'anything.read'],
    ['GET', '/user', 'user.read'],
    ['GET', '/users/x', 'user.read'],
    ['GET', '/users/', 'anything.read'],
    ['GET', '/users/x/', 'anything.read'],
    ['GET', '/repos/a/b/issues', 'issue.list'],
    ['HEAD', '/repos/a/b/issues', 'issues.read'],
    ['GET', '/repos/a/b/issues/', 'issues.read'],
    ['GET', '/repos/a/b/issues/7', 'issues.read'],
    ['GET', '/repos/a/b/issues/7/labels', 'labels.read'],
    ['GET', '/repos/acme/b/issues/7', 'acme.read'],
    ['POST', '/repos/a/b/issues', 'issues.write'],
    ['POST', '/repos/acme/b/issues', 'issues.write'],
    ['POST', '/repos/a//issues', undefined],
    ['POST', '/user', undefined],
    ['DELETE', '/repos/a/b/issues/7', undefined],
    ['get', '/user', undefined],
    ['GET', 'user', undefined],
  ])('%s %s is %s', (method, path, name) => {
    expect(matchAction(actions, method, path)?.name).toBe(name);
    expect(matchAction([...actions].reverse(), method, path)?.name).toBe(name);
  });

  it('is not dodged by the other spelling of an encoded slash', () => {
    const project = { name: 'a', methods: ['GET'], paths: ['/projects/group%2Fproject'] };
    for (const path of project.paths.concat('/projects/group%2fproject')) {
      expect(matchAction([project], 'GET', path)).toBe(project);
    }
  });

  it('answers the action as it was given', () => {
    const action = { name: 'a', methods: ['GET'], paths: ['/a'], body: 'stream' };
    expect(compileActions([action])('GET', '/a')).toBe(action);
  });

  it('takes the more careful of two actions with equal patterns, then the lesser name', () => {
    const place = { methods: ['GET'], paths: ['/{any}'] };
    const pick = (...list: ActionPatterns[]) => {
      const name = matchAction(list, 'GET', '/x')?.name;
      expect(matchAction(list.reverse(), 'GET', '/x')?.name).toBe(name);
      return name;
    };
    expect(pick({ name: 'a', risk: 'high', ...place }, { name: 'b', approval: 'required', ...place })).toBe('b');
    expect(pick({ name: 'a', risk: 'low', approval: 'none', ...place }, { name: 'b', risk: 'high', ...place })).toBe(
      'b',
    );
    expect(pick({ name: 'a', ...place }, { name: 'b', risk: 'low', ...place })).toBe('b');
    expect(pick({ name: 'b', ...place }, { name: 'a', ...place })).toBe('a');
  });

  it('finds an action exactly when one covers the call, whatever the order', () => {
    const segment = fc.constantFrom('a', 'b', '*', '**', '');
    const pattern = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
    const list = fc
      .array(fc.uniqueArray(pattern, { minLength: 1, maxLength: 2 }), { maxLength: 6 })
      .map((all) => all.map((paths, position) => ({ name: `a${position}`, methods: ['GET'], paths })));
    const path = fc
      .array(fc.constantFrom('a', 'b', '', 'c'), { minLength: 1, maxLength: 5 })
      .map((all) => `/${all.join('/')}`);
    fc.assert(
      fc.property(list, path, (written, called) => {
        const covering = written.filter(({ paths }) => paths.some((text) => matchPath(text, called)));
        const found = matchAction(written, 'GET', called);
        if (covering.length === 0) expect(found).toBeUndefined();
        else expect(covering).toContain(found);
        expect(matchAction([...written].reverse(), 'GET', called)).toBe(found);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('compileActions', () => {
  it('refuses what could not be matched, all faults at once', () => {
    const bad = [
      { name: 'a', methods: ['get'], paths: ['x', '/a*'] },
      { name: 'a', methods: [], paths: [] },
    ];
    let issues: readonly unknown[] = [];
    try {
      compileActions(bad);
    } catch (error) {
      if (error instanceof PolicyError) issues = error.issues.map(({ field, message }) => `${field} ${message}`);
    }
    expect(issues).toEqual([
      'actions[0].methods[0] must be an upper-case HTTP method such as GET',
      'actions[0].paths[0] must begin with "/"',
      'actions[0].paths[1] may use "*" and "**" only as a whole segment',
      'actions[1].name is the name of another action',
      'actions[1].methods must have at least one item',
      'actions[1].paths must have at least one item',
    ]);
  });
});
