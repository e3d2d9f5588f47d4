import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileHeaderPolicy, filterRequestHeaders, filterResponseHeaders } from './header-policy.ts';

const open = compileHeaderPolicy();

function namesThrough(filter: typeof filterResponseHeaders, names: readonly string[]): string[] {
  const kept = filter(
    names.flatMap((name) => [name, 'v']),
    open,
  );
  return kept.filter((_, i) => i % 2 === 0);
}

describe('a request field', () => {
  test.each([
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Postern-Key',
    'Postern-Anything',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Authorization',
    'X-Api-Key',
    'Api-Key',
    'X-Goog-Api-Key',
    'Private-Token',
    'Cookie',
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Anything',
    'X-Real-Ip',
    'Via',
    'Idempotency-Key',
    'Baggage',
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'Host',
    'Content-Length',
    'Expect',
    'X_Forwarded_For',
    'content_length',
  ])('%s never passes, in any case', (name) => {
    expect(namesThrough(filterRequestHeaders, [name, name.toLowerCase(), name.toUpperCase()])).toEqual([]);
  });

  test.each([
    'Accept',
    'Content-Type',
    'Content-Encoding',
    'X-Real-Ip-Not',
    'X-Forward',
    'Proxy',
    'Postern',
    'Cookies',
    'X-Api-Keys',
    'Viable',
    'Set-Cookie',
    'User-Agent',
    'X-Request-Id',
    'Upgrade-Insecure-Requests',
  ])('%s passes, spelled as it came', (name) => {
    expect(namesThrough(filterRequestHeaders, [name])).toEqual([name]);
  });

  test('that Connection names is removed, and only that', () => {
    const headers = ['Connection', 'close, X-One', 'x-one', '1', 'connection', ' X-TWO ', 'X-Two', '2', 'x-three', '3'];
    expect(filterRequestHeaders(headers, open)).toEqual(['x-three', '3']);
  });

  test('that the credential writes is removed, by the policy or for one request', () => {
    const policy = compileHeaderPolicy({ requestRemoved: ['X-Secret'] });
    expect(filterRequestHeaders(['x-SECRET', '1', 'x-other', '2'], policy)).toEqual(['x-other', '2']);
    expect(filterRequestHeaders(['X-Other', '2', 'x-kept', '3'], policy, ['x-other'])).toEqual(['x-kept', '3']);
  });

  test('keeps its order, its repetitions and its value', () => {
    const headers = ['b', '1', 'A', '', 'b', ' 2 '];
    expect(filterRequestHeaders(headers, open)).toEqual(headers);
  });
});

describe('a response field', () => {
  test.each([
    'Connection',
    'Keep-Alive',
    'Transfer-Encoding',
    'Trailer',
    'Upgrade',
    'Set-Cookie',
    'Alt-Svc',
    'Refresh',
    'Strict-Transport-Security',
    'Clear-Site-Data',
    'Authentication-Info',
    'Proxy-Authenticate',
    'Postern-Request-Id',
  ])('%s never passes, in any case', (name) => {
    expect(namesThrough(filterResponseHeaders, [name, name.toLowerCase()])).toEqual([]);
  });

  test.each(['Content-Length', 'Content-Type', 'WWW-Authenticate', 'Set-Cookie2', 'X_Odd', 'Via', 'Location', 'ETag'])(
    '%s passes',
    (name) => {
      expect(namesThrough(filterResponseHeaders, [name])).toEqual([name]);
    },
  );

  test('that Connection names is removed', () => {
    expect(filterResponseHeaders(['connection', 'x-hop', 'X-Hop', '1', 'x-end', '2'], open)).toEqual(['x-end', '2']);
  });
});

describe('an allow list', () => {
  test('lets exact names and beginnings pass', () => {
    const policy = compileHeaderPolicy({ requestAllow: ['Accept', 'X-Team-*'], responseAllow: [] });
    const headers = ['accept', '1', 'accept-language', '2', 'x-team-a', '3', 'x-team', '4', 'x-teams', '5'];
    expect(filterRequestHeaders(headers, policy)).toEqual(['accept', '1', 'x-team-a', '3']);
    expect(filterResponseHeaders(['content-type', 'a'], policy)).toEqual([]);
  });

  test('never widens the policy', () => {
    const policy = compileHeaderPolicy({ requestAllow: ['cookie', 'x_y', 'proxy-*'], responseAllow: ['set-cookie'] });
    expect(filterRequestHeaders(['cookie', '1', 'x_y', '2', 'proxy-a', '3'], policy)).toEqual([]);
    expect(filterResponseHeaders(['set-cookie', '1'], policy)).toEqual([]);
  });

  test.each(['', 'a*b', '**', 'a b', 'x-é', '*x', 'a:'])('refuses the pattern %j', (pattern) => {
    expect(() => compileHeaderPolicy({ requestAllow: [pattern] })).toThrow(/headers\.request\.allow/);
    expect(() => compileHeaderPolicy({ responseAllow: [pattern] })).toThrow(/headers\.response\.allow/);
  });
});

test('a name gives the same verdict however many names were met before', () => {
  const policy = compileHeaderPolicy();
  for (let i = 0; i < 2_000; i++) filterRequestHeaders([`x-${i}`, 'v'], policy);
  expect(filterRequestHeaders(['x-new', '1', 'COOKIE', '2', 'x-1999', '3'], policy)).toEqual([
    'x-new',
    '1',
    'x-1999',
    '3',
  ]);
});

test('what is kept is a subsequence of pairs without any refused name', () => {
  const name = fc.constantFrom(
    'a',
    'Cookie',
    'x_y',
    'connection',
    'B',
    'TE',
    'x-hop',
    'toString',
    '__proto__x',
    'constructor',
  );
  const value = fc.constantFrom('1', 'x-hop', 'a, b', 'close');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
      const kept = filterRequestHeaders(pairs.flat(), open);
      const hop = new Set(
        pairs.filter(([one]) => one === 'connection').flatMap(([, v]) => v.split(',').map((part) => part.trim())),
      );
      const refused = (one: string) => ['Cookie', 'connection', 'TE'].includes(one) || one.includes('_');
      expect(kept).toEqual(pairs.filter(([one]) => !refused(one) && !hop.has(one.toLowerCase())).flat());
    }),
  );
});
