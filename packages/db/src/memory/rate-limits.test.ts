import { describe, expect, test } from 'vitest';
import { describeRateLimits } from '../conformance/rate-limits.ts';
import { createMemoryRateLimits } from './rate-limits.ts';

describe('memory', () => {
  describeRateLimits(createMemoryRateLimits);

  test('counters that count nothing any more are swept', () => {
    const port = createMemoryRateLimits();
    const spend = (key: string, perSeconds: number, nowMs: number) =>
      port.spend([{ tenant: 'default', rule: 'r', key, requests: 1, perSeconds }], nowMs);
    for (let key = 0; key < 100; key += 1) spend(`short ${key}`, 10, 1_000_000);
    spend('long', 3_600, 1_000_000);
    expect(port.size).toBe(101);
    spend('short 0', 10, 1_000_000 + 70_000);
    expect(port.size).toBe(2);
    expect(spend('long', 3_600, 1_000_000 + 71_000)).toMatchObject([{ isAllowed: false }]);
  });
});
