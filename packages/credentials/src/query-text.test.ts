import { expect, test } from 'vitest';
import { appendQuery, encodeQueryText, hasQueryParameter } from './query-text.ts';

test.each([
  ['/?a+b=1', 'a b', true],
  ['/?a%20b=1', 'a b', true],
  ['/?a%2Bb=1', 'a b', false],
  ['/?a%2Bb=1', 'a+b', true],
  ['/?%C3%A9=1', 'é', true],
  ['/?é=1', 'é', true],
  ['/?%E9=1', 'é', false],
  ['/?a%3Db=1', 'a=b', true],
  ['/?=1', '', true],
  ['/', '', false],
  ['/?%zz=1', '%zz', true],
  ['/?k=%', 'k', true],
])('%s has the parameter %j: %s', (url, name, expected) => {
  expect(hasQueryParameter(url, name)).toBe(expected);
});

test('all but unreserved characters are percent-encoded, in capitals', () => {
  expect(encodeQueryText("Az09-._~!'()*+ /?&=%é")).toBe('Az09-._~%21%27%28%29%2A%2B%20%2F%3F%26%3D%25%C3%A9');
});

test('only the first question mark begins a query', () => {
  expect(appendQuery('/a?b=?', 'k=v')).toBe('/a?b=?&k=v');
  expect(appendQuery('/a?b=?c', 'k=v')).toBe('/a?b=?c&k=v');
});
