import { type CallDescription, describeCall, fingerprint } from '@postern/canonicalizer';
import { describe, expect, test } from 'vitest';
import { type JudgedGrant, judgeGrant } from './judge-grant.ts';
import { grantSearch, standingScope } from './standing-scope.ts';

const now = 1_700_000_000_000;
const call: CallDescription = {
  tenant: 'default',
  agent: 'coder',
  action: { name: 'issues.write' },
  method: 'POST',
  url: 'https://api.github.com/repos/a/b/issues?draft=1',
  headers: [['content-type', 'application/json']],
  body: new TextEncoder().encode('{"title":"one"}'),
};
const searchOf = (change: Partial<CallDescription> = {}, integration = 'github', credential = 'github-token') =>
  grantSearch(describeCall({ ...call, ...change }, { name: integration, credential }));
const asked = searchOf();
const exact: JudgedGrant = {
  tenant: 'default',
  agent: 'coder',
  kind: 'times',
  fingerprint: asked.fingerprint,
  usesLeft: 2,
  expiresAt: now + 1,
};
const standing: JudgedGrant = {
  tenant: 'default',
  agent: 'coder',
  kind: 'rule',
  scope: { integration: 'github', action: 'issues.write', method: 'POST', path: '/repos/a/b/issues' },
  expiresAt: now + 1,
};

describe('what a call looks for a grant with', () => {
  test('is its fingerprint and the scope of a standing one', () => {
    const descriptor = describeCall(call, { name: 'github' });
    expect(grantSearch(descriptor)).toEqual({
      tenant: 'default',
      agent: 'coder',
      integration: 'github',
      action: 'issues.write',
      method: 'POST',
      path: '/repos/a/b/issues',
      fingerprint: fingerprint(descriptor),
    });
  });

  test.each([
    ['https://a.test', '/'],
    ['https://a.test/?x=/y', '/'],
    ['https://a.test/x?y=/z?w', '/x'],
    ['https://a.test/%2Fx/', '/%2Fx/'],
    ['http://[::1]:8080/x//y', '/x//y'],
  ])('takes of %s the path %s, as it is written', (url, path) => {
    const descriptor = { ...describeCall(call, { name: 'github' }), url };
    expect(standingScope(descriptor)?.path).toBe(path);
  });

  test('is for a tool call or a device command nothing that a standing grant fits', () => {
    for (const kind of ['tool', 'device'] as const) {
      const descriptor = describeCall({ ...call, kind }, { name: 'github' });
      expect(standingScope(descriptor)).toBeUndefined();
      expect(judgeGrant(standing, grantSearch(descriptor), now)).toBe('other_call');
      const empty = { ...standing, scope: { ...grantSearch(descriptor) } };
      expect(judgeGrant(empty, grantSearch(descriptor), now)).toBe('other_call');
    }
  });
});

describe('a grant for one call', () => {
  test('lets that call pass', () => {
    expect(judgeGrant(exact, asked, now)).toBeUndefined();
    expect(judgeGrant({ ...exact, kind: 'once', usesLeft: 1 }, asked, now)).toBeUndefined();
    expect(judgeGrant({ ...exact, kind: 'until', usesLeft: undefined }, asked, now)).toBeUndefined();
  });

  test.each([
    ['body', searchOf({ body: new TextEncoder().encode('{"title":"two"}') })],
    ['header', searchOf({ headers: [['content-type', 'text/plain']] })],
    ['query', searchOf({ url: 'https://api.github.com/repos/a/b/issues?draft=2' })],
    ['method', searchOf({ method: 'PUT' })],
    ['agent', searchOf({ agent: 'other' })],
    ['tenant', searchOf({ tenant: 'other' })],
    ['integration', searchOf({}, 'gitlab')],
    ['secret', searchOf({}, 'github', 'other-token')],
  ])('fits no call with another %s', (_name, other) => {
    expect(judgeGrant(exact, other, now)).toBe('other_call');
  });

  test('fits a call that differs in volatile headers only', () => {
    const again = searchOf({
      headers: [
        ['content-type', 'application/json'],
        ['user-agent', 'other'],
        ['x-request-id', '7'],
      ],
    });
    expect(judgeGrant(exact, again, now)).toBeUndefined();
  });

  test('is over at its time, when it is used up, and when it is revoked', () => {
    expect(judgeGrant(exact, asked, exact.expiresAt - 1)).toBeUndefined();
    expect(judgeGrant(exact, asked, exact.expiresAt)).toBe('expired');
    expect(judgeGrant({ ...exact, usesLeft: 0 }, asked, now)).toBe('spent');
    expect(judgeGrant({ ...exact, revokedAt: now + 999 }, asked, now)).toBe('revoked');
  });

  test('with a member missing lets nothing pass', () => {
    expect(judgeGrant({ ...exact, usesLeft: undefined }, asked, now)).toBe('spent');
    expect(judgeGrant({ ...exact, usesLeft: Number.NaN }, asked, now)).toBe('spent');
    expect(judgeGrant({ ...exact, expiresAt: Number.NaN }, asked, now)).toBe('expired');
    expect(
      judgeGrant(
        { ...exact, fingerprint: undefined } as JudgedGrant,
        { ...asked, fingerprint: undefined as unknown as string },
        now,
      ),
    ).toBe('other_call');
    expect(judgeGrant({ ...standing, scope: undefined } as JudgedGrant, asked, now)).toBe('other_call');
  });
});

describe('a standing grant', () => {
  test('lets every query, header and body pass, as often as they come', () => {
    expect(judgeGrant(standing, asked, now)).toBeUndefined();
    expect(
      judgeGrant(standing, searchOf({ url: 'https://api.github.com/repos/a/b/issues', headers: [], body: null }), now),
    ).toBeUndefined();
  });

  test.each([
    ['method', searchOf({ method: 'PATCH' })],
    ['path', searchOf({ url: 'https://api.github.com/repos/a/b/issues/1' })],
    ['spelling of the path', searchOf({ url: 'https://api.github.com/repos/a/b/Issues' })],
    ['slash at the end', searchOf({ url: 'https://api.github.com/repos/a/b/issues/' })],
    ['action', searchOf({ action: { name: 'issues.admin' } })],
    ['action, namely none', searchOf({ action: null })],
    ['agent', searchOf({ agent: 'other' })],
    ['tenant', searchOf({ tenant: 'other' })],
    ['integration', searchOf({}, 'gitlab')],
  ])('fits no call with another %s', (_name, other) => {
    expect(judgeGrant(standing, other, now)).toBe('other_call');
  });

  test('for calls of no action fits no call of an action', () => {
    const { action: _action, ...scope } = {
      ...standing.scope,
      integration: 'github',
      method: 'POST',
      path: '/repos/a/b/issues',
    };
    expect(judgeGrant({ ...standing, scope }, searchOf({ action: null }), now)).toBeUndefined();
    expect(judgeGrant({ ...standing, scope }, asked, now)).toBe('other_call');
  });

  test('is over at its time, and when it is revoked', () => {
    expect(judgeGrant(standing, asked, standing.expiresAt)).toBe('expired');
    expect(judgeGrant({ ...standing, revokedAt: 1 }, asked, now)).toBe('revoked');
  });
});
