import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinTargetPath, type Query } from './target-path.ts';

const base = new URL('https://api.test/v1');

describe('a path below the base URL', () => {
  test.each<[string, Query | undefined, string]>([
    ['/', undefined, '/v1/'],
    ['/a/b', undefined, '/v1/a/b'],
    ['/a?x=1', undefined, '/v1/a?x=1'],
    ['/a', 'x=%2F&y', '/v1/a?x=%2F&y'],
    ['/a', '', '/v1/a'],
    ['/a', { x: ['1', '2'], 'a&b': '=' }, '/v1/a?x=1&x=2&a%26b=%3D'],
    ['/a/../b', undefined, '/v1/b'],
    ['/a%2Fb', undefined, '/v1/a%2Fb'],
    ['//evil.test/x', undefined, '/v1//evil.test/x'],
    ['/@evil.test', undefined, '/v1/@evil.test'],
    ['/a b\u00e9', undefined, '/v1/a%20b%C3%A9'],
  ])('%j with the query %j is %s', (path, query, expected) => {
    expect(joinTargetPath(base, path, query)).toBe(expected);
  });
});

describe('target_invalid is', () => {
  test.each<[string, Query | undefined]>([
    ['/..', undefined],
    ['/../v1evil', undefined],
    ['/%2e%2E/x', undefined],
    ['/a/..%2f..%2fx', undefined],
    ['/..%5cx', undefined],
    ['/a\\..\\x', undefined],
    ['/a#b', undefined],
    ['/a\u0000', undefined],
    ['/a\r\nx: y', undefined],
    ['a', undefined],
    ['@evil.test', undefined],
    [':80/a', undefined],
    ['/a?b', 'c'],
    ['/a', 'b#c'],
    ['/a', 'b\nc'],
  ])('%j with the query %j', (path, query) => {
    expect(() => joinTargetPath(base, path, query)).toThrow(expect.objectContaining({ code: 'target_invalid' }));
  });
});

test('whatever is given, the result stays below the base path on the base host', () => {
  const piece = fc.constantFrom(
    '/',
    '..',
    '.',
    '%2e',
    '%2f',
    '%5c',
    '\\',
    'a',
    '@',
    ':',
    '?',
    '#',
    '//',
    ';',
    '%',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      let joined: string;
      try {
        joined = joinTargetPath(base, pieces.join(''));
      } catch {
        return;
      }
      const url = new URL(`https://api.test${joined}`);
      expect(url.host).toBe('api.test');
      expect(url.pathname).toMatch(/^\/v1(?:\/|$)/);
      expect(url.pathname + url.search).toBe(joined);
    }),
    { numRuns: 2_000 },
  );
});
