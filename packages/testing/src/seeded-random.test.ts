import { expect, test } from 'vitest';
import { seededRandom } from './seeded-random.ts';

test('the same seed gives the same bytes, however they are asked for', () => {
  const whole = seededRandom('a').bytes(100);
  const random = seededRandom('a');
  expect([...random.bytes(1), ...random.bytes(40), ...random.bytes(59)]).toEqual([...whole]);
});

test('another seed gives other bytes', () => {
  expect(seededRandom('a').bytes(16)).not.toEqual(seededRandom('b').bytes(16));
});

test('whole numbers stay below their bound and reach both of its ends', () => {
  const random = seededRandom(1);
  const seen = new Set(Array.from({ length: 200 }, () => random.integer(4)));
  expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  expect(() => random.integer(0)).toThrow(RangeError);
});
