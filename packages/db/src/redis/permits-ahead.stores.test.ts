import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';
import { connectRedis } from './connect-redis.ts';
import { createRedisRateLimits, type RedisRateLimitsOptions } from './rate-limits.ts';
import type { RedisConnection } from './redis-connection.ts';
import { newPrefix } from './redis-harness.fixture.ts';

const START_MS = 1_700_000_000_000;
const OVER_MS = 100;

function limit(requests: number, perSeconds = 60, key = 'a'): CountedLimit {
  return { tenant: 'default', rule: key, key, requests, perSeconds };
}

const isPassed = (verdicts: readonly LimitVerdict[]) => verdicts.every(({ isAllowed }) => isAllowed);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('permits ahead', () => {
  let redis: RedisConnection;
  beforeAll(async () => {
    redis = await connectRedis({ url: inject('redisUrl') });
  });
  afterAll(() => redis.close());

  /** Nodes on one Redis; `commands` that they sent. */
  function openNodes(options: RedisRateLimitsOptions = {}) {
    const prefix = newPrefix();
    const seen = { commands: 0, underWay: 0, fails: false };
    const counted: RedisConnection = {
      ...redis,
      async run(...asked) {
        seen.commands += 1;
        if (seen.fails) throw new Error('no answer');
        seen.underWay += 1;
        return await redis.run(...asked).finally(() => {
          seen.underWay -= 1;
        });
      },
    };
    const make = () => createRedisRateLimits(counted, { prefix, ...options });
    /** All permits are over, and those that were left are back. */
    const settle = async () => {
      let isBusy = true;
      while (isBusy) {
        await setImmediate();
        isBusy = seen.underWay > 0;
        await pause(OVER_MS);
      }
    };
    return {
      prefix,
      settle,
      nodes: [make(), make()] as const,
      seen,
      other: createRedisRateLimits(redis, { prefix, ...options, aheadMs: 0 }),
    };
  }

  async function spendSome(port: RateLimitsPort, limits: readonly CountedLimit[], calls: number, nowMs = START_MS) {
    const verdicts: (readonly LimitVerdict[])[] = [];
    for (let call = 0; call < calls; call += 1) verdicts.push(await port.spend(limits, nowMs));
    return verdicts;
  }

  test('a busy node asks Redis for few of its calls, and each verdict says what is left', async () => {
    const { nodes, seen } = openNodes();
    const verdicts = await spendSome(nodes[0], [limit(100_000)], 3_000);
    // A call that asks Redis beside what is held is told of with the next that is held.
    for (const [call, [one]] of verdicts.entries())
      expect(Math.abs(99_999 - call - (one?.remaining ?? 0))).toBeLessThan(3);
    expect(seen.commands).toBeLessThan(300);
  });

  test('what no call has used is there for all nodes again', async () => {
    const { nodes, other, settle } = openNodes();
    const limits = [limit(2_000), limit(5_000, 3_600, 'wide')];
    await Promise.all(nodes.map((node) => spendSome(node, limits, 300)));
    await settle();
    expect(await other.judge(limits, START_MS)).toMatchObject([{ remaining: 1_400 }, { remaining: 4_400 }]);
  });

  test('two nodes that want far more than the limit get just that', async () => {
    const { nodes, settle } = openNodes();
    let passed = 0;
    const burst = () =>
      Promise.all(
        Array.from({ length: 64 }, async (_, caller) => {
          for (const verdicts of await spendSome(nodes[caller % 2 === 0 ? 0 : 1], [limit(2_000)], 100)) {
            if (isPassed(verdicts)) passed += 1;
          }
        }),
      );
    await burst();
    expect(passed).toBeLessThanOrEqual(2_000);
    await settle();
    await burst();
    expect(passed).toBe(2_000);
  });

  test('a limit with little left, and one of few requests, are asked for call by call', async () => {
    for (const [requests, spent] of [
      [511, 0],
      [1_000, 488],
      [80_000, 70_001],
    ] as const) {
      const { nodes, seen, other } = openNodes();
      for (let from = 0; from < spent; from += 1_000) {
        await Promise.all(
          Array.from({ length: Math.min(1_000, spent - from) }, () => other.spend([limit(requests)], 0)),
        );
      }
      await spendSome(nodes[0], [limit(requests)], 100);
      expect(seen.commands).toBe(100);
    }
  });

  test('a node holds at most an eighth of what is left', async () => {
    const { nodes, other } = openNodes();
    const limits = [limit(1_000)];
    await nodes[0].spend(limits, START_MS);
    await Promise.all(Array.from({ length: 350 }, () => nodes[0].spend(limits, START_MS)));
    const [verdict] = await other.judge(limits, START_MS);
    expect(verdict?.remaining).toBeGreaterThanOrEqual(1_000 - 351 - 125);
  });

  test('permits count at the end of their time: a window that begins with their last call holds no more than it may', async () => {
    const { nodes, other, settle } = openNodes({ clock: 'caller', aheadMs: 20 });
    const second = [limit(600, 1)];
    await spendSome(nodes[0], second, 10);
    const late = nodes[0].spend(second, START_MS + 19);
    expect(late).not.toBeInstanceOf(Promise);
    await settle();
    expect(await other.judge(second, START_MS + 1_018)).toMatchObject([{ isAllowed: true }]);
    const passed = (await Promise.all(Array.from({ length: 700 }, () => other.spend(second, START_MS + 1_018)))).filter(
      isPassed,
    );
    // The second from 19 to 1,018 holds the late one too.
    expect(passed.length + 1).toBeLessThanOrEqual(600);
    expect(passed.length).toBeGreaterThan(500);
  });

  test('a call is given back to the window that counted it, also once its permit’s time is over', async () => {
    const { nodes, other, settle } = openNodes();
    const limits = [limit(2_000)];
    const verdicts = await spendSome(nodes[0], limits, 200);
    for (const one of verdicts.slice(0, 50)) await nodes[0].giveBack(limits, one);
    await settle();
    expect(await other.judge(limits, START_MS)).toMatchObject([{ remaining: 1_850 }]);
    for (const one of verdicts.slice(0, 100)) await nodes[0].giveBack(limits, one);
    expect(await other.judge(limits, START_MS)).toMatchObject([{ remaining: 1_900 }]);
  });

  test('once Redis has lost a counter, it gives none ahead before a call has made it anew', async () => {
    const { nodes, prefix, seen } = openNodes({ clock: 'caller', aheadMs: 20 });
    const limits = [limit(2_000)];
    await spendSome(nodes[0], limits, 30);
    const lost = redis.command('DEL', `${prefix}:rate-limits:default:counter:a`);
    let passedHere = 0;
    while (passedHere < 200 && !(nodes[0].spend(limits, START_MS) instanceof Promise)) {
      passedHere += 1;
      // What it asked for meanwhile is answered.
      for (let turn = 0; turn < 3 || seen.underWay > 0; turn += 1) await setImmediate();
    }
    expect(await lost).toBe(1);
    expect(passedHere).toBeGreaterThan(0);
    expect(passedHere).toBeLessThan(50);
  });

  test('when Redis fails, calls fail that find no permit, and later ones get theirs again', async () => {
    const { nodes, seen } = openNodes();
    const limits = [limit(100_000)];
    await spendSome(nodes[0], limits, 100);
    seen.fails = true;
    await pause(OVER_MS);
    await expect(spendSome(nodes[0], limits, 500)).rejects.toThrow('no answer');
    for (let call = 0; call < 20; call += 1) await expect(nodes[0].spend(limits, 0)).rejects.toThrow('no answer');
    seen.fails = false;
    seen.commands = 0;
    await spendSome(nodes[0], limits, 1_000);
    expect(seen.commands).toBeLessThan(200);
  });

  test('at any times and from two nodes, no window holds more calls than it may, and none is lost', async () => {
    const step = fc.record({
      wait: fc.oneof(fc.nat(5), fc.nat(40), fc.integer({ min: 900, max: 1_100 })),
      node: fc.constantFrom<0 | 1>(0, 1),
      calls: fc.integer({ min: 1, max: 200 }),
      back: fc.nat(3),
    });
    let ahead = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 520, max: 900 }),
        fc.array(step, { maxLength: 25 }),
        async (requests, steps) => {
          const { nodes, other, settle } = openNodes({ clock: 'caller', aheadMs: 20 });
          const limits = [limit(requests, 1)];
          const times: number[] = [];
          let nowMs = START_MS;
          for (const { wait, node, calls, back } of steps) {
            nowMs += wait;
            const asked = Array.from({ length: calls }, () => nodes[node].spend(limits, nowMs));
            ahead += asked.filter((verdicts) => !(verdicts instanceof Promise)).length;
            const passed = (await Promise.all(asked)).filter(isPassed);
            for (const one of passed.splice(0, back)) await nodes[node].giveBack(limits, one);
            times.push(...passed.map(() => nowMs));
          }
          for (const [place, time] of times.entries())
            expect(time - (times[place - requests] ?? 0)).toBeGreaterThanOrEqual(1_000);
          await settle();
          const held = times.filter((time) => time > nowMs + 30 - 1_000).length;
          const [verdict] = await other.judge(limits, nowMs + 30);
          // A call may be counted up to 20 ms later than it was.
          expect(requests - (verdict?.remaining ?? 0)).toBeGreaterThanOrEqual(held);
          const atMost = times.filter((time) => time > nowMs + 30 - 1_021).length;
          expect(requests - (verdict?.remaining ?? 0)).toBeLessThanOrEqual(atMost);
        },
      ),
      { numRuns: 40 },
    );
    expect(ahead).toBeGreaterThan(100);
  });
});
