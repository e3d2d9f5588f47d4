import { describe, expect, test } from 'vitest';
import { StoreClock } from './store-clock.ts';

function startClock() {
  const monotonic = { ms: 5_000 };
  const clock = new StoreClock(() => monotonic.ms);
  return { clock, monotonic };
}

describe('the store’s time', () => {
  test('is not known before it was asked for', () => {
    expect(() => startClock().clock.now()).toThrow('not asked');
  });

  test('runs on by the monotonic clock, from the middle of the time that the answer took', () => {
    const { clock, monotonic } = startClock();
    clock.read({ storeMs: 1_000_000, askedMs: 5_000, answeredMs: 5_010 });
    monotonic.ms = 5_010;
    expect(clock.now()).toBe(1_000_005);
    monotonic.ms = 65_010;
    expect(clock.now()).toBe(1_060_005);
  });

  test('is not moved by an answer that it agrees with, however long that took', () => {
    const { clock, monotonic } = startClock();
    clock.read({ storeMs: 1_000_000, askedMs: 5_000, answeredMs: 5_010 });
    clock.read({ storeMs: 1_000_900, askedMs: 5_010, answeredMs: 6_990 });
    monotonic.ms = 7_000;
    expect(clock.now()).toBe(1_001_995);
  });

  test('goes to the nearest time that an answer leaves possible', () => {
    const { clock, monotonic } = startClock();
    clock.read({ storeMs: 1_000_000, askedMs: 5_000, answeredMs: 5_000 });
    clock.read({ storeMs: 1_000_500, askedMs: 5_400, answeredMs: 5_420 });
    monotonic.ms = 5_420;
    expect(clock.now()).toBe(1_000_500);
    clock.read({ storeMs: 900_000, askedMs: 6_000, answeredMs: 6_020 });
    monotonic.ms = 6_020;
    expect(clock.now()).toBe(900_020);
  });
});
