import { expect, test } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

const NOW = Date.UTC(2026, 10, 21, 6, 0, 0);

test.each<[string, number]>([
  ['0', 0],
  ['1', 1_000],
  ['120', 120_000],
  [' 7 ', 7_000],
  ['9999999999', 9_999_999_999_000],
  ['Sat, 21 Nov 2026 06:00:05 GMT', 5_000],
  ['Sat, 21 Nov 2026 05:59:00 GMT', 0],
  ['Saturday, 21-Nov-26 06:00:05 GMT', 5_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
  ['Sat Nov 21 06:00:05 2026', 5_000],
  ['Sun Nov  6 08:49:37 1994', 0],
  ['Wed, 30 Jun 2027 23:59:60 GMT', Date.UTC(2027, 6, 1) - NOW],
])('Retry-After: %s asks for %i ms', (value, ms) => {
  expect(retryAfterMs(['x', '1', 'Retry-After', value], NOW)).toBe(ms);
});

test.each([
  '',
  '-1',
  '+1',
  '1.5',
  '1e3',
  '0x10',
  '1, 2',
  '99999999999',
  'soon',
  '2026-11-21T06:00:05Z',
  'Sat, 21 Nov 2026 06:00:05 CET',
  'Sat, 21 nov 2026 06:00:05 GMT',
  'Sat, 31 Feb 2026 06:00:05 GMT',
  'Sat, 00 Nov 2026 06:00:05 GMT',
  'Sat, 21 Nov 2026 24:00:00 GMT',
  'Sat, 21 Nov 2026 06:60:00 GMT',
  'Sat, 21 Foo 2026 06:00:05 GMT',
])('Retry-After: %j says nothing', (value) => {
  expect(retryAfterMs(['retry-after', value], NOW)).toBeUndefined();
});

test('without the field nothing is said', () => {
  expect(retryAfterMs(['x-retry-after', '1'], NOW)).toBeUndefined();
});

test('of two fields the first counts', () => {
  expect(retryAfterMs(['retry-after', '1', 'Retry-After', '2'], NOW)).toBe(1_000);
});

test('two digits of a year mean the one that lies less than 50 years ahead', () => {
  expect(retryAfterMs(['retry-after', 'Sunday, 21-Nov-76 06:00:00 GMT'], NOW)).toBe(Date.UTC(2076, 10, 21, 6) - NOW);
  expect(retryAfterMs(['retry-after', 'Monday, 21-Nov-77 06:00:00 GMT'], NOW)).toBe(0);
});
