import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CountedLimit } from '../ports/rate-limits.ts';
import { createPermitsAhead } from './permits-ahead.ts';
import type { SpentPermits } from './redis-verdict.ts';

const LIFE_MS = 20;

function limit(key: string, more: Partial<CountedLimit> = {}): CountedLimit {
  return { tenant: 'default', rule: 'pace', key, requests: 1_000, perSeconds: 60, ...more };
}

interface Asked {
  readonly key: string;
  readonly permits: number;
}

function make() {
  const few: Asked[] = [];
  const unused: SpentPermits[] = [];
  const ahead = createPermitsAhead({
    lifeMs: LIFE_MS,
    requestsMin: 512,
    onFew: ({ key }, permits) => few.push({ key, permits }),
    onUnused: (permits) => unused.push(...permits),
  });
  const now = () => performance.now();
  /** As a call does that asks Redis itself when it finds no permit. */
  const spend = (...limits: readonly CountedLimit[]) => {
    const verdicts = ahead.take(limits, now());
    return verdicts ?? { wanted: ahead.want(limits, now()) };
  };
  const give = (one: CountedLimit, permits: number, askedMs = now()) => {
    const given = { limit: one, counter: `counter:${one.key}`, atMs: 7, permits, untilMs: askedMs + LIFE_MS };
    ahead.hold({ ...given, remaining: 100, resetSeconds: 9 });
    ahead.endAsking(one);
  };
  /** Calls enough that some are asked for. */
  const busy = (one: CountedLimit, calls = 10) => {
    for (let call = 1; call < calls; call += 1) ahead.take([one], now()) ?? (call === 1 && ahead.want([one], now()));
    return ahead.want([one], now())[0];
  };
  return { ahead, few, unused, now, spend, give, busy };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('how many are asked for', () => {
  test('few calls ask one by one; more ask for most of what such a time takes, and once', () => {
    const { spend } = make();
    const wanted = Array.from({ length: 12 }, () => spend(limit('a')));
    expect(wanted.slice(0, 3)).toEqual([{ wanted: [0] }, { wanted: [0] }, { wanted: [0] }]);
    expect(wanted[3]).toEqual({ wanted: [3] });
    expect(wanted.slice(4)).toEqual(Array(8).fill({ wanted: [0] }));
  });

  test('the calls of the time before count, those from before it do not', () => {
    const { ahead, busy, now } = make();
    const ask = () => ahead.take([limit('a')], now()) ?? ahead.want([limit('a')], now());
    expect(busy(limit('a'), 30)).toBe(18);
    ahead.endAsking(limit('a'));
    vi.advanceTimersByTime(LIFE_MS);
    expect(ask()).toEqual([18]);
    ahead.endAsking(limit('a'));
    vi.advanceTimersByTime(2 * LIFE_MS);
    expect(ask()).toEqual([0]);
  });

  test('however many calls there are, it is some hundreds', () => {
    const { busy } = make();
    expect(busy(limit('a'), 10_000)).toBe(256);
  });

  test('a call with a limit of few requests asks for none of any', () => {
    const { spend } = make();
    const small = limit('small', { requests: 511 });
    const wanted = Array.from({ length: 12 }, () => spend(limit('a'), small));
    expect(wanted).toEqual(Array(12).fill({ wanted: [] }));
    expect(spend(limit('a'))).toEqual({ wanted: [0] });
  });

  test('more is asked for before the last is used, and not twice', () => {
    const { spend, busy, give, few } = make();
    expect(busy(limit('a'), 10)).toBe(6);
    give(limit('a'), 6);
    for (let call = 0; call < 3; call += 1) spend(limit('a'));
    expect(few).toEqual([]);
    spend(limit('a'));
    expect(few).toEqual([{ key: 'a', permits: 8 }]);
    spend(limit('a'));
    expect(few.length).toBe(1);
  });

  test('an asking that came to nothing is followed by another', () => {
    const { ahead, spend, busy } = make();
    expect(busy(limit('a'))).toBe(6);
    expect(spend(limit('a'))).toEqual({ wanted: [0] });
    ahead.endAsking(limit('a'));
    expect(spend(limit('a'))).toEqual({ wanted: [7] });
  });
});

describe('what is held', () => {
  test('lets as many calls pass as permits were given, with what the window has left', () => {
    const { ahead, busy, give, now } = make();
    busy(limit('a'));
    give(limit('a'), 3);
    expect(ahead.leftOf(limit('a'))).toBe(3);
    const passed = Array.from({ length: 5 }, () => ahead.take([limit('a')], now())?.[0]);
    const verdict = { isAllowed: true, atMs: 7, retryAfterSeconds: 0, resetSeconds: 9 };
    expect(passed).toEqual([
      { ...verdict, remaining: 102 },
      { ...verdict, remaining: 101 },
      { ...verdict, remaining: 100 },
      undefined,
      undefined,
    ]);
  });

  test('is used until the end of its time as it was asked for, not as it was answered', () => {
    const { ahead, busy, give, now } = make();
    busy(limit('a'));
    const askedMs = now();
    vi.advanceTimersByTime(15);
    give(limit('a'), 3, askedMs);
    vi.advanceTimersByTime(4);
    expect(ahead.take([limit('a')], now())).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(ahead.take([limit('a')], now())).toBeUndefined();
  });

  test('is for the tenant, the key and the numbers of the rule alone', () => {
    const { ahead, busy, give, now } = make();
    busy(limit('a'));
    give(limit('a'), 3);
    for (const other of [
      limit('b'),
      limit('a', { tenant: 'other' }),
      limit('a', { requests: 999 }),
      limit('a', { perSeconds: 61 }),
    ]) {
      expect(ahead.take([other], now())).toBeUndefined();
    }
    expect(ahead.take([limit('a')], now())).toHaveLength(1);
  });

  test('is left where it is when another limit of the call has none', () => {
    const { ahead, busy, give, now } = make();
    for (const key of ['a', 'b']) busy(limit(key));
    give(limit('a'), 2);
    expect(ahead.take([limit('a'), limit('b')], now())).toBeUndefined();
    expect(ahead.leftOf(limit('a'))).toBe(2);
    give(limit('b'), 1);
    expect(ahead.take([limit('a'), limit('b')], now())).toHaveLength(2);
    expect(ahead.take([limit('a'), limit('b')], now())).toBeUndefined();
    expect(ahead.leftOf(limit('a'))).toBe(1);
  });

  test('is used before what came later', () => {
    const { ahead, busy, give, now } = make();
    busy(limit('a'));
    give(limit('a'), 2);
    ahead.take([limit('a')], now());
    vi.advanceTimersByTime(10);
    give(limit('a'), 2);
    expect(ahead.leftOf(limit('a'))).toBe(3);
    const remaining = Array.from({ length: 4 }, () => ahead.take([limit('a')], now())?.[0]?.remaining);
    expect(remaining).toEqual([100, 101, 100, undefined]);
  });
});

describe('what no call has used', () => {
  test('is handed on once its time is over, each at its own', () => {
    const { ahead, busy, give, unused, now } = make();
    for (const key of ['a', 'b', 'c']) busy(limit(key));
    give(limit('a'), 2);
    give(limit('c'), 1);
    ahead.take([limit('c')], now());
    vi.advanceTimersByTime(10);
    give(limit('b', { perSeconds: 7 }), 5);
    vi.advanceTimersByTime(LIFE_MS - 10);
    expect(unused).toEqual([{ counter: 'counter:a', perSeconds: 60, atMs: 7, permits: 2 }]);
    vi.advanceTimersByTime(10);
    expect(unused.slice(1)).toEqual([{ counter: 'counter:b', perSeconds: 7, atMs: 7, permits: 5 }]);
    expect([ahead.leftOf(limit('a')), ahead.leftOf(limit('b'))]).toEqual([0, 0]);
    vi.advanceTimersByTime(1_000);
    expect(unused.length).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a call that is given back before then leaves its permit to another, and once', () => {
    const { ahead, busy, give, unused, now } = make();
    busy(limit('a'));
    give(limit('a'), 1);
    const verdict = ahead.take([limit('a')], now())?.[0];
    expect(verdict?.giveBack()).toBeUndefined();
    expect(verdict?.giveBack()).toBeUndefined();
    expect(ahead.leftOf(limit('a'))).toBe(1);
    expect(ahead.take([limit('a')], now())).toHaveLength(1);
    vi.advanceTimersByTime(LIFE_MS);
    expect(unused).toEqual([]);
  });

  test('a call that is given back after then is for Redis to take back', () => {
    const { ahead, busy, give, now } = make();
    busy(limit('a'));
    give(limit('a'), 1);
    const verdict = ahead.take([limit('a')], now())?.[0];
    vi.advanceTimersByTime(LIFE_MS);
    expect(verdict?.giveBack()).toEqual({ counter: 'counter:a', perSeconds: 60, atMs: 7, permits: 1 });
    expect(verdict?.giveBack()).toBeUndefined();
    expect(ahead.leftOf(limit('a'))).toBe(0);
  });
});

test('counters without a call for seconds are forgotten, but not while they are asked for', () => {
  const { ahead, busy, give, now } = make();
  expect(busy(limit('asking'))).toBe(6);
  busy(limit('idle'));
  ahead.endAsking(limit('idle'));
  vi.advanceTimersByTime(10_000);
  ahead.want([limit('other')], now());
  for (const key of ['asking', 'idle']) give(limit(key), 2);
  expect([ahead.leftOf(limit('asking')), ahead.leftOf(limit('idle'))]).toEqual([2, 0]);
});
