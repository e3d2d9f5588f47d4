import { createWindow, giveBack, judgeWindow, spendWindows, type WindowState } from '@postern/policy';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { describeRateLimits } from '../conformance/rate-limits.ts';
import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';
import { connectRedis } from './connect-redis.ts';
import { createRedisRateLimits, type RedisRateLimitsOptions } from './rate-limits.ts';
import type { RedisConnection } from './redis-connection.ts';
import { keysUnder, newPrefix } from './redis-harness.fixture.ts';

const START_MS = 1_700_000_000_000;

function limit(key: string, requests: number, perSeconds = 60, more: Partial<CountedLimit> = {}): CountedLimit {
  return { tenant: 'default', rule: 'pace', key, requests, perSeconds, ...more };
}

interface Spent {
  readonly limits: readonly CountedLimit[];
  readonly verdicts: ReturnType<RateLimitsPort['spend']>;
}

/** What the script has to do, by the functions that say what it is. A counter is there from the first call that it counts. */
function windowsOfPolicy() {
  const states = new Map<string, WindowState>();
  const stateOf = ({ key }: CountedLimit): WindowState => states.get(key) ?? createWindow();
  return {
    spend(limits: readonly CountedLimit[], nowMs: number) {
      const windows = limits.map((window) => ({ state: stateOf(window), window }));
      const verdicts = spendWindows(windows, nowMs);
      const isSpent = verdicts.every(({ isAllowed }) => isAllowed);
      if (isSpent) for (const { state, window } of windows) states.set(window.key, state);
      return verdicts;
    },
    judge: (limits: readonly CountedLimit[], nowMs: number) =>
      limits.map((window) => judgeWindow(stateOf(window), window, nowMs)),
    giveBack(limits: readonly CountedLimit[], verdicts: readonly LimitVerdict[]) {
      for (const [place, window] of limits.entries()) giveBack(stateOf(window), window, verdicts[place]?.atMs ?? 0);
    },
  };
}

describe('redis', () => {
  let redis: RedisConnection;
  let other: RedisConnection;
  beforeAll(async () => {
    const url = inject('redisUrl');
    [redis, other] = await Promise.all([connectRedis({ url }), connectRedis({ url })]);
  });
  afterAll(() => Promise.all([redis.close(), other.close()]));

  const make = (options: RedisRateLimitsOptions = {}) =>
    createRedisRateLimits(redis, { prefix: newPrefix(), clock: 'caller', ...options });

  describeRateLimits(make);

  test('any calls at any times get the verdicts that the windows of the policy give', async () => {
    const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });
    const wait = fc.oneof(fc.nat(50), fc.nat(3_000), fc.nat(100_000), fc.integer({ min: -5_000, max: 0 }));
    const kind = fc.constantFrom('spend', 'spend', 'spend', 'judge', 'giveBack') as fc.Arbitrary<
      'spend' | 'judge' | 'giveBack'
    >;
    const steps = fc.array(fc.record({ wait, kind, keys }), { maxLength: 40 });
    const window = { requests: fc.integer({ min: 1, max: 5 }), perSeconds: fc.constantFrom(1, 2, 7, 60, 3_600) };
    await fc.assert(
      fc.asyncProperty(fc.record(window), steps, fc.boolean(), async ({ requests, perSeconds }, doing, isTogether) => {
        const [port, model] = [make(), windowsOfPolicy()];
        let nowMs = START_MS;
        let spent: Spent | undefined;
        const asked: { verdicts: ReturnType<typeof port.spend>; expected: readonly LimitVerdict[] }[] = [];
        for (const { kind, wait, keys } of doing) {
          nowMs += wait;
          const limits = keys.map((key) => limit(key, requests, perSeconds));
          if (kind !== 'giveBack') {
            const asking = { verdicts: port[kind](limits, nowMs), expected: model[kind](limits, nowMs) };
            asked.push(asking);
            if (!isTogether) await asking.verdicts;
            const isSpent = kind === 'spend' && asking.expected.every(({ isAllowed }) => isAllowed);
            if (isSpent) spent = { limits, verdicts: asking.verdicts };
          } else if (spent !== undefined) {
            const verdicts = await spent.verdicts;
            await port.giveBack(spent.limits, verdicts);
            model.giveBack(spent.limits, verdicts);
            spent = undefined;
          }
        }
        for (const { verdicts, expected } of asked) expect(await verdicts).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  test('nodes whose clocks differ by hours share one window, by the server’s clock', async () => {
    const prefix = newPrefix();
    const [early, late] = [createRedisRateLimits(redis, { prefix }), createRedisRateLimits(other, { prefix })];
    const before = Date.now();
    const passed = [];
    for (let call = 0; call < 6; call += 1) {
      const [verdict] = await (call % 2 === 0 ? early : late).spend(
        [limit('a', 4)],
        Date.now() + (call % 2 === 0 ? -1 : 1) * 7_200_000,
      );
      passed.push(verdict?.isAllowed);
      expect(Math.abs((verdict?.atMs ?? 0) - before)).toBeLessThan(60_000);
    }
    expect(passed).toEqual([true, true, true, true, false, false]);
  });

  test('two nodes at once never let more pass than the limit', async () => {
    const prefix = newPrefix();
    const ports = [createRedisRateLimits(redis, { prefix }), createRedisRateLimits(other, { prefix })] as const;
    const limits = [limit('narrow', 11), limit('wide', 50, 3_600, { rule: 'wide' })];
    const spent = await Promise.all(
      Array.from({ length: 200 }, (_, call) => ports[call % 2 === 0 ? 0 : 1].spend(limits, 0)),
    );
    expect(spent.filter((verdicts) => verdicts.every(({ isAllowed }) => isAllowed)).length).toBe(11);
    expect(await ports[0].judge(limits, 0)).toMatchObject([{ remaining: 0 }, { remaining: 39 }]);
  });

  test('a script that the server has forgotten is loaded again within the call', async () => {
    const port = make();
    await port.spend([limit('a', 3)], START_MS);
    await redis.command('SCRIPT', 'FLUSH', 'SYNC');
    expect(await port.spend([limit('a', 3)], START_MS)).toMatchObject([{ isAllowed: true, remaining: 1 }]);
  });

  test('counters end with their windows, and their list with the last', async () => {
    const prefix = newPrefix();
    const port = make({ prefix });
    await port.spend([limit('a', 3, 10), limit('b', 3, 100)], START_MS);
    const keys = (await keysUnder(redis, prefix)).sort();
    expect(keys).toEqual(['counter:a', 'counter:b', 'counters'].map((name) => `${prefix}:rate-limits:default:${name}`));
    const left = await Promise.all(keys.map(async (key) => Number(await redis.command('PTTL', key))));
    // All of a window, and at most a quarter more.
    expect(left.map((ms) => ms > 1_001 * 10 && ms <= 1_260 * 10)).toEqual([true, false, false]);
    expect(left.map((ms) => ms > 1_001 * 100 && ms <= 1_251 * 100)).toEqual([false, true, true]);
    await redis.command('DEL', `${prefix}:rate-limits:default:counters`);
    await port.spend([limit('a', 3, 10)], START_MS + 5_000);
    expect(await redis.command('ZCARD', `${prefix}:rate-limits:default:counters`)).toBe(1);
  });

  test('what lies in the place of a counter is thrown away', async () => {
    const prefix = newPrefix();
    for (const name of ['counter:a', 'counters']) {
      await redis.command('SET', `${prefix}:rate-limits:default:${name}`, 'x', 'PX', 10_000);
    }
    await redis.command('HSET', `${prefix}:rate-limits:default:counter:b`, 'n', 'x', 's', '', 'h', '-', 't', 'NaNs');
    const port = make({ prefix });
    for (const remaining of [2, 1, 0]) {
      expect(await port.spend([limit('a', 3), limit('b', 3)], START_MS)).toMatchObject([{ remaining }, { remaining }]);
    }
  });

  test('calls that come together are judged one after the other, each by all of its limits', async () => {
    const port = make();
    const [narrow, wide] = [limit('narrow', 3), limit('wide', 5, 3_600, { rule: 'wide' })];
    const asked = Array.from({ length: 200 }, (_, call) =>
      port.spend(call % 2 === 0 ? [narrow, wide] : [wide], START_MS),
    );
    const passed = (await Promise.all(asked)).map((verdicts) => verdicts.every(({ isAllowed }) => isAllowed));
    // Of the first five, three are even.
    expect(passed).toEqual(Array.from({ length: 200 }, (_, call) => call < 5));
    expect(await port.judge([narrow, wide], START_MS)).toMatchObject([{ remaining: 0 }, { remaining: 0 }]);
  });
});
