import { describe, expect, test } from 'vitest';
import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';

/** Makes an empty store; `countersMax`: how many counters one tenant has room for. */
export type MakeRateLimits = (options?: { readonly countersMax?: number }) => RateLimitsPort | Promise<RateLimitsPort>;

const START_MS = 1_700_000_000_000;

function limit(key: string, requests: number, perSeconds = 60, more: Partial<CountedLimit> = {}): CountedLimit {
  return { tenant: 'default', rule: 'pace', key, requests, perSeconds, ...more };
}

export function describeRateLimits(make: MakeRateLimits): void {
  describe('rate limits', () => {
    test('as many calls pass as the limit says, the next once the window has moved on', async () => {
      const port = await make();
      const spend = async (atMs: number) => (await port.spend([limit('a', 2)], START_MS + atMs))[0];
      expect(await spend(0)).toMatchObject({ isAllowed: true, remaining: 1, retryAfterSeconds: 0 });
      expect(await spend(30_000)).toMatchObject({ isAllowed: true, remaining: 0 });
      expect(await spend(59_999)).toMatchObject({ isAllowed: false, remaining: 0, retryAfterSeconds: 1 });
      expect(await spend(60_100)).toMatchObject({ isAllowed: true });
      expect(await spend(60_200)).toMatchObject({ isAllowed: false, retryAfterSeconds: 30 });
    });

    test('counters of other keys and tenants are others', async () => {
      const port = await make();
      const isAllowed = async (one: CountedLimit) => (await port.spend([one], START_MS))[0]?.isAllowed;
      expect(await isAllowed(limit('a', 1))).toBe(true);
      expect(await isAllowed(limit('a', 1))).toBe(false);
      expect(await isAllowed(limit('b', 1))).toBe(true);
      expect(await isAllowed(limit('a', 1, 60, { tenant: 'other' }))).toBe(true);
    });

    test('a call that one limit refuses is counted by none', async () => {
      const port = await make();
      const [narrow, wide] = [limit('narrow', 1), limit('wide', 3, 3_600, { rule: 'wide' })];
      const spend = async () => (await port.spend([wide, narrow], START_MS)).map(({ isAllowed }) => isAllowed);
      expect(await spend()).toEqual([true, true]);
      for (let again = 0; again < 5; again += 1) expect(await spend()).toEqual([true, false]);
      expect((await port.judge([wide], START_MS))[0]).toMatchObject({ isAllowed: true, remaining: 2 });
    });

    test('to judge spends nothing', async () => {
      const port = await make();
      for (let again = 0; again < 3; again += 1) {
        expect((await port.judge([limit('a', 1)], START_MS))[0]).toMatchObject({ isAllowed: true, remaining: 1 });
      }
      await port.spend([limit('a', 1)], START_MS);
      expect((await port.judge([limit('a', 1)], START_MS))[0]).toMatchObject({ isAllowed: false, remaining: 0 });
    });

    test('a call that is given back can be spent again, and no more than that', async () => {
      const port = await make();
      const limits = [limit('a', 1), limit('b', 1, 1, { rule: 'other' })];
      const verdicts = await port.spend(limits, START_MS);
      await port.giveBack(limits, verdicts);
      expect((await port.spend(limits, START_MS)).map(({ isAllowed }) => isAllowed)).toEqual([true, true]);
      expect((await port.spend(limits, START_MS)).map(({ isAllowed }) => isAllowed)).toEqual([false, false]);
    });

    test('a call is given back once, and one that was refused never', async () => {
      const port = await make();
      const [one, two] = [limit('a', 2), limit('b', 1, 60, { rule: 'other' })];
      const first = await port.spend([one, two], START_MS);
      await port.giveBack([one, two], first);
      await port.spend([one, two], START_MS);
      const refused = await port.spend([one, two], START_MS);
      expect(refused.map(({ isAllowed }) => isAllowed)).toEqual([true, false]);
      await port.giveBack([one, two], refused);
      await port.giveBack([one, two], first);
      expect((await port.judge([one, two], START_MS)).map(({ remaining }) => remaining)).toEqual([1, 0]);
    });

    test('what is given back moves the time at which more is left', async () => {
      const port = await make();
      const spend = (atMs: number) => port.spend([limit('a', 3)], START_MS + atMs);
      const first = await spend(0);
      await spend(20_000);
      expect(await spend(20_100)).toMatchObject([{ remaining: 0, resetSeconds: 40 }]);
      await port.giveBack([limit('a', 3)], first);
      expect(await port.judge([limit('a', 3)], START_MS + 20_100)).toMatchObject([{ remaining: 1, resetSeconds: 60 }]);
    });

    test('a window of millions of calls over days is counted to the last', async () => {
      const port = await make();
      const days = limit('a', 1_000_000, 2_678_400);
      let last: LimitVerdict | undefined;
      for (let call = 0; call < 50; call += 1) [last] = await port.spend([days], START_MS + call * 10_000_000);
      expect(last).toMatchObject({ isAllowed: true, remaining: 999_950, atMs: START_MS + 490_000_000 });
      const grainMs = 2_678_400;
      const leavesAtMs = Math.floor(START_MS / grainMs) * grainMs + grainMs - 1 + 2_678_400_000;
      expect(last?.resetSeconds).toBe(Math.ceil((leavesAtMs - START_MS - 490_000_000) / 1_000));
    });

    test('names of tenants, rules and keys never run into each other', async () => {
      const port = await make({ countersMax: 100 });
      const names = ['a', 'a:b', 'b', ':', 'others of a', 'a\u0000', 'é', '["a"]'];
      for (const tenant of names) {
        for (const key of names) {
          const one = limit(key, 1, 60, { tenant });
          expect((await port.spend([one], START_MS))[0]?.isAllowed).toBe(true);
        }
      }
    });

    test('calls at once never pass more than the limit', async () => {
      const port = await make();
      const verdicts = await Promise.all(
        Array.from({ length: 100 }, async () => (await port.spend([limit('a', 7)], START_MS))[0]),
      );
      expect(verdicts.filter((verdict) => verdict?.isAllowed).length).toBe(7);
    });

    test('keys without room share one counter of their rule, so that many keys let no more pass', async () => {
      const port = await make({ countersMax: 2 });
      const isAllowed = async (key: string, more: object = {}) =>
        (await port.spend([limit(key, 1, 60, more)], START_MS))[0]?.isAllowed;
      expect([await isAllowed('a'), await isAllowed('b')]).toEqual([true, true]);
      expect([await isAllowed('c'), await isAllowed('d'), await isAllowed('e')]).toEqual([true, false, false]);
      expect([await isAllowed('a'), await isAllowed('b')]).toEqual([false, false]);
      expect(await isAllowed('f', { rule: 'another' })).toBe(true);
      expect(await isAllowed('a', { tenant: 'other' })).toBe(true);
    });

    test('a clock that goes back opens no window anew', async () => {
      const port = await make();
      await port.spend([limit('a', 1)], START_MS);
      expect((await port.spend([limit('a', 1)], START_MS - 3_600_000))[0]?.isAllowed).toBe(false);
    });
  });
}
