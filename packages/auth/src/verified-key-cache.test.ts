import { expect, test } from 'vitest';
import { createVerifiedKeyCache } from './verified-key-cache.ts';

test('what was set is found in the same generation', () => {
  const cache = createVerifiedKeyCache<string>({ keysMax: 10 });
  expect(cache.get('a', 1)).toBeUndefined();
  cache.set('a', 'agent', 1);
  expect(cache.get('a', 1)).toBe('agent');
  expect(cache.get('b', 1)).toBeUndefined();
});

test('a higher generation empties it, from get as from set', () => {
  const cache = createVerifiedKeyCache<string>({ keysMax: 10 });
  cache.set('a', 'before', 1);
  expect(cache.get('a', 2)).toBeUndefined();
  cache.set('a', 'after', 2);
  cache.set('b', 'later', 3);
  expect(cache.get('a', 3)).toBeUndefined();
  expect(cache.get('b', 3)).toBe('later');
});

test('a call that began before the change neither reads the new entries nor brings back an old one', () => {
  const cache = createVerifiedKeyCache<string>({ keysMax: 10 });
  cache.set('a', 'new', 2);
  expect(cache.get('a', 1)).toBeUndefined();
  cache.set('b', 'old', 1);
  expect(cache.get('b', 2)).toBeUndefined();
  expect(cache.get('a', 2)).toBe('new');
});

test('a generation that is no number finds nothing', () => {
  const cache = createVerifiedKeyCache<string>({ keysMax: 10 });
  cache.set('a', 'agent', Number.NaN);
  expect(cache.get('a', Number.NaN)).toBeUndefined();
});

test('it holds as many keys as it may and lets the eldest go', () => {
  const cache = createVerifiedKeyCache<number>({ keysMax: 2 });
  cache.set('a', 1, 1);
  cache.set('b', 2, 1);
  cache.set('b', 3, 1);
  expect([cache.get('a', 1), cache.get('b', 1)]).toEqual([1, 3]);
  cache.set('c', 4, 1);
  expect([cache.get('a', 1), cache.get('b', 1), cache.get('c', 1)]).toEqual([undefined, 3, 4]);
});

test('clear empties it', () => {
  const cache = createVerifiedKeyCache<number>({ keysMax: 2 });
  cache.set('a', 1, 1);
  cache.clear();
  expect(cache.get('a', 1)).toBeUndefined();
});

test.each([0, -1, Number.NaN])('a bound of %d is refused', (keysMax) => {
  expect(() => createVerifiedKeyCache({ keysMax })).toThrow(RangeError);
  expect(() => createVerifiedKeyCache({ keysMax: 1 })).not.toThrow();
});
