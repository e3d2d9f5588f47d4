import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchPath, pathPatternProblem } from './path-pattern.ts';

describe('matchPath', () => {
  const fits: [pattern: string, path: string][] = [
    ['/', '/'],
    ['/a', '/a'],
    ['/a/', '/a/'],
    ['/a//b', '/a//b'],
    ['/a/*', '/a/b'],
    ['/a/*', '/a/*'],
    ['/a/{name}', '/a/b'],
    ['/a/{owner}/{repo}', '/a/b/c'],
    ['/a/*/', '/a/b/'],
    ['/*/b', '/a/b'],
    ['/a/**', '/a'],
    ['/a/**', '/a/'],
    ['/a/**', '/a/b'],
    ['/a/**', '/a/b/c'],
    ['/a/**', '/a//'],
    ['/**', '/'],
    ['/**', '/a/b'],
    ['/**/b', '/b'],
    ['/**/b', '/a/a/b'],
    ['/**/b', '/b/b'],
    ['/a/**/z', '/a/z'],
    ['/a/**/z', '/a/b/z/c/z'],
    ['/a/**/', '/a/'],
    ['/a/**/', '/a/b/'],
    ['/**/a/**/b', '/x/a/a/y/b'],
    ['/**/**', '/'],
    ['/**/*', '/a'],
    ['/a/**/*', '/a/b'],
    ['/a%2Fb', '/a%2Fb'],
    ['/a%2Fb', '/a%2fb'],
    ['/a%2fb', '/a%2Fb'],
    ['/a%5c%2f', '/a%5C%2F'],
    ['/x:delete', '/x%3Adelete'],
    ['/x%3Adelete', '/x:delete'],
    ['/a;b=c@d', '/a%3Bb%3Dc%40d'],
    ['/%21%24%26%27%28%29%2B%2C', "/!$&'()+,"],
    ['/a%2A', '/a*'],
    ['/%2A', '/*'],
    ['/a.b', '/a.b'],
  ];
  it.each(fits)('%s fits %s', (pattern, path) => {
    expect(matchPath(pattern, path)).toBe(true);
  });

  const misfits: [pattern: string, path: string][] = [
    ['/', '/a'],
    ['/', '//'],
    ['/a', '/'],
    ['/a', '/a/'],
    ['/a', '/A'],
    ['/a', '/ab'],
    ['/ab', '/a'],
    ['/a/', '/a'],
    ['/a/', '/a//'],
    ['/a//b', '/a/b'],
    ['/a/*', '/a'],
    ['/a/*', '/a/'],
    ['/a/*', '/a/b/'],
    ['/a/*', '/a/b/c'],
    ['/a/{name}', '/a/'],
    ['/a/*/c', '/a//c'],
    ['/a/*/', '/a/b'],
    ['/a/**', '/'],
    ['/a/**', '/ab'],
    ['/a/**', '/b/a'],
    ['/a/**', '/A/b'],
    ['/**/b', '/b/'],
    ['/**/b', '/ab'],
    ['/a/**/z', '/a/z/'],
    ['/a/**/z', '/az'],
    ['/a/**/', '/a'],
    ['/a/**/', '/a/b'],
    ['/**/*', '/'],
    ['/a/**/*', '/a/'],
    ['/a/**/*', '/a'],
    ['/a.b', '/axb'],
    ['/a%2Fb', '/a/b'],
    ['/%2A', '/a'],
    ['/x:delete', '/x%253Adelete'],
    ['/a%2Fb', '/a%5Cb'],
    ['/a%3Fb', '/a%3fb'],
    ['/a/*b', '/a/xb'],
    ['a', '/a'],
    ['', '/'],
    ['/a', 'a'],
    ['/**', ''],
    ['/**', 'a'],
  ];
  it.each(misfits)('%s does not fit %s', (pattern, path) => {
    expect(matchPath(pattern, path)).toBe(false);
  });

  it('agrees with a regular expression made from the pattern', () => {
    const token = fc.constantFrom('a', 'b', '', '*', '{x}', '**');
    const segment = fc.constantFrom('a', 'b', '', 'c');
    fc.assert(
      fc.property(
        fc.array(token, { minLength: 1, maxLength: 6 }),
        fc.array(segment, { minLength: 1, maxLength: 7 }),
        (tokens, segments) => {
          const path = `/${segments.join('/')}`;
          expect(matchPath(`/${tokens.join('/')}`, path)).toBe(asRegExp(tokens).test(path));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('stays quick for many "**" against a long path that almost fits', () => {
    const pattern = `${'/**/a'.repeat(60)}/end`;
    const path = '/a'.repeat(4000);
    // Trying every way to share the segments out would never end.
    expect(matchPath(pattern, path)).toBe(false);
  });
});

/** The same meaning said another way: each segment with the slash before it. */
function asRegExp(tokens: readonly string[]): RegExp {
  const parts = tokens.map((token) => {
    if (token === '**') return '(?:/[^/]*)*';
    if (token === '*' || token === '{x}') return '/[^/]+';
    return `/${token}`;
  });
  return new RegExp(`^${parts.join('')}$`);
}

describe('pathPatternProblem', () => {
  const good = [
    '/',
    '/a',
    '/a/',
    '/a//b',
    '/*',
    '/**',
    '/{name}/x',
    '/{a.b-c_1}',
    '/v1.2/~me',
    '/a%2Fb',
    '/a%2fb%5c',
    '/..a/a..;b',
    '/a:b@c;d=e,f',
    "/!$&'()+",
    `/${'a'.repeat(1023)}`,
    '/...',
    '/a%20b',
  ];
  it.each(good)('has nothing against %s', (pattern) => {
    expect(pathPatternProblem(pattern)).toBeUndefined();
  });

  const bad: [pattern: string, problem: RegExp][] = [
    ['', /begin with "\/"/],
    ['a/b', /begin with "\/"/],
    ['https://a/b', /begin with "\/"/],
    [`/${'a'.repeat(1024)}`, /at most 1024/],
    ['/a*', /whole segment/],
    ['/*.json', /whole segment/],
    ['/***', /whole segment/],
    ['/{a', /whole segment/],
    ['/{}', /whole segment/],
    ['/x{a}', /whole segment/],
    ['/a?b=c', /without query/],
    ['/a#b', /without query/],
    ['/a\\b', /backslash/],
    ['/a b', /percent-encoded/],
    ['/ä', /percent-encoded/],
    ['/a\u0000', /percent-encoded/],
    ['/a"b', /percent-encoded/],
    ['/.', /dot segment/],
    ['/a/../b', /dot segment/],
    ['/a/%2e%2E/b', /dot segment/],
    ['/a/.%2e', /dot segment/],
    ['/a%', /two hexadecimal/],
    ['/a%2', /two hexadecimal/],
    ['/a%zz', /two hexadecimal/],
    ['/a%3fb', /write %3f as %3F/],
    ['/a[b]', /percent-encoded/],
    ['/a|b', /percent-encoded/],
    ['/a%2f..', /dot segment/],
    ['/..;x', /dot segment/],
    ['/.%3Bx', /dot segment/],
    ['/a%00', /control character/],
    ['/a%1F', /control character/],
    ['/a%7F', /control character/],
    ['/%61', /write %61 as a/],
    ['/a%2Eb', /write %2E as \./],
  ];
  it.each(bad)('refuses %j', (pattern, problem) => {
    expect(pathPatternProblem(pattern)).toMatch(problem);
  });
});
