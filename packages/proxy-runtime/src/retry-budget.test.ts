import { describe, expect, test } from 'vitest';
import { RetryBudget } from './retry-budget.ts';

/** Makes so many calls, each of which asks for one second attempt; returns how many were granted. */
function callsThatAsk(budget: RetryBudget, count: number, nowMs: number): number {
  let granted = 0;
  for (let i = 0; i < count; i++) {
    budget.countCall();
    if (budget.take(nowMs)) granted += 1;
  }
  return granted;
}

describe('a retry budget', () => {
  test('grants the first second attempt of a lane that had no traffic at all', () => {
    expect(callsThatAsk(new RetryBudget(), 1, 0)).toBe(1);
  });

  test('grants twenty within ten seconds whatever the traffic, and not one more', () => {
    const budget = new RetryBudget();
    expect(callsThatAsk(budget, 21, 5_000)).toBe(20);
    expect(callsThatAsk(budget, 1, 14_999)).toBe(0);
    expect(callsThatAsk(budget, 1, 15_000)).toBe(1);
  });

  test.each([100, 1_000, 50_000])('grants a fifth of %i calls that all fail at once', (calls) => {
    expect(callsThatAsk(new RetryBudget(), calls, 1_000)).toBe(calls / 5);
  });

  test('grants every one that is asked for while they are fewer than a fifth', () => {
    const budget = new RetryBudget();
    let granted = 0;
    for (let call = 0; call < 10_000; call++) {
      budget.countCall();
      if (call % 6 === 0 && budget.take(call)) granted += 1;
    }
    expect(granted).toBe(Math.ceil(10_000 / 6));
  });

  test('holds in every ten seconds of a long outage', () => {
    const budget = new RetryBudget();
    const granted: number[] = [];
    for (let second = 0; second < 60; second++) granted.push(callsThatAsk(budget, 100, second * 1_000));
    for (let from = 0; from + 10 <= 60; from++) {
      const sum = granted.slice(from, from + 10).reduce((total, one) => total + one, 0);
      expect(sum).toBeLessThanOrEqual(220);
    }
    expect(granted.reduce((total, one) => total + one, 0)).toBeGreaterThan(1_000);
  });

  test('does not let quiet hours save up for a storm', () => {
    const budget = new RetryBudget();
    for (let call = 0; call < 100_000; call++) budget.countCall();
    expect(callsThatAsk(budget, 100, 3_600_000)).toBe(20);
  });
});
