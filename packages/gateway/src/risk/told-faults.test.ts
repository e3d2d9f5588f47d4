import { expect, test } from 'vitest';
import { ToldFaults } from './told-faults.ts';

test('a fault is news once a minute, each kind by itself', () => {
  let nowMs = 0;
  const faults = new ToldFaults(() => nowMs);
  expect([faults.isNews('saturated'), faults.isNews('saturated'), faults.isNews('suspended')]).toEqual([
    true,
    false,
    true,
  ]);
  nowMs = 59_999;
  expect(faults.isNews('saturated')).toBe(false);
  nowMs = 60_000;
  expect([faults.isNews('saturated'), faults.isNews('saturated')]).toEqual([true, false]);
});
