import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWindow, giveBack, judgeWindow, spendWindow, spendWindows, type Window } from './sliding-window.ts';

const perMinute: Window = { requests: 3, perSeconds: 60 };
const perSecond: Window = { requests: 2, perSeconds: 1 };

describe('a window', () => {
  it('lets through as many calls as it says, and tells how many are left', () => {
    const state = createWindow();
    const spent = [0, 1, 2, 3].map((second) => spendWindow(state, perMinute, second * 1000));
    expect(spent.map(({ isAllowed, remaining }) => [isAllowed, remaining])).toEqual([
      [true, 2],
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
  });

  it('tells when a refused call would pass, and then it does', () => {
    const state = createWindow();
    spendWindow(state, perSecond, 100);
    spendWindow(state, perSecond, 600);
    expect(spendWindow(state, perSecond, 900)).toMatchObject({
      isAllowed: false,
      retryAfterSeconds: 1,
      resetSeconds: 1,
    });
    expect(spendWindow(state, perSecond, 1099)).toMatchObject({ isAllowed: false });
    expect(spendWindow(state, perSecond, 1100)).toMatchObject({ isAllowed: true, remaining: 0, retryAfterSeconds: 0 });
    expect(spendWindow(state, perSecond, 1599)).toMatchObject({ isAllowed: false });
    expect(spendWindow(state, perSecond, 1600)).toMatchObject({ isAllowed: true });
  });

  it('is not filled by calls that it refuses', () => {
    const state = createWindow();
    for (let time = 0; time < 1000; time += 10) spendWindow(state, perSecond, time);
    expect(spendWindow(state, perSecond, 1000)).toMatchObject({ isAllowed: true });
  });

  it('slides: no burst at the edge of a minute doubles it', () => {
    const state = createWindow();
    const passed = [59_800, 59_900, 59_950, 60_000, 60_100, 60_200].filter((time) => {
      return spendWindow(state, perMinute, time).isAllowed;
    });
    expect(passed).toEqual([59_800, 59_900, 59_950]);
  });

  it('judges without spending', () => {
    const state = createWindow();
    for (let look = 0; look < 9; look += 1) {
      expect(judgeWindow(state, perSecond, 5)).toMatchObject({ isAllowed: true, remaining: 2, resetSeconds: 1 });
    }
    spendWindow(state, perSecond, 5);
    spendWindow(state, perSecond, 5);
    expect(judgeWindow(state, perSecond, 6)).toMatchObject({ isAllowed: false, remaining: 0, retryAfterSeconds: 1 });
  });

  it('is not loosened by a clock that goes back, or that is none', () => {
    const state = createWindow();
    spendWindow(state, perSecond, 10_000);
    spendWindow(state, perSecond, 10_000);
    for (const time of [10_000, 9_000, 0, -1, Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect(spendWindow(state, perSecond, time)).toMatchObject({ isAllowed: false, atMs: 10_000 });
    }
    expect(spendWindow(state, perSecond, 11_000)).toMatchObject({ isAllowed: true });
  });

  it('takes a call back that was never sent, once it is told of', () => {
    const state = createWindow();
    const { atMs } = spendWindow(state, perSecond, 100);
    spendWindow(state, perSecond, 200);
    giveBack(state, perSecond, atMs);
    expect(spendWindow(state, perSecond, 300)).toMatchObject({ isAllowed: true, remaining: 0 });
    giveBack(state, perSecond, 7);
    expect(spendWindow(state, perSecond, 301)).toMatchObject({ isAllowed: false });
    giveBack(state, perSecond, 200);
    giveBack(state, perSecond, 200);
    expect(spendWindow(state, perSecond, 302)).toMatchObject({ isAllowed: true });
    expect(spendWindow(state, perSecond, 303)).toMatchObject({ isAllowed: false });
  });

  it('survives being kept as JSON', () => {
    const state = createWindow();
    spendWindow(state, perSecond, 100);
    spendWindow(state, perSecond, 100);
    expect(spendWindow(JSON.parse(JSON.stringify(state)), perSecond, 200)).toMatchObject({ isAllowed: false });
  });

  it('keeps a thousand numbers at most, however many calls pass', () => {
    const large: Window = { requests: 1_000_000, perSeconds: 60 };
    const state = createWindow();
    for (let call = 0; call < 200_000; call += 1) spendWindow(state, large, call);
    expect(state.starts.length).toBeLessThanOrEqual(1002);
    expect(state.counts.length).toBe(state.starts.length);
  });
});

describe('several windows on one call', () => {
  it('are all spent, or none when one refuses', () => {
    const windows = [
      { state: createWindow(), window: { requests: 2, perSeconds: 1 } },
      { state: createWindow(), window: { requests: 3, perSeconds: 60 } },
    ];
    const passed = (time: number) => spendWindows(windows, time).map(({ isAllowed }) => isAllowed);
    expect(passed(0)).toEqual([true, true]);
    expect(passed(1)).toEqual([true, true]);
    expect(passed(2)).toEqual([false, true]);
    expect(windows[1]?.state.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(passed(1500)).toEqual([true, true]);
    expect(passed(1501)).toEqual([true, false]);
    expect(passed(59_900)).toEqual([true, false]);
    expect(passed(60_100)).toEqual([true, true]);
  });
});

describe('any calls at any times', () => {
  const windows = fc.record({
    requests: fc.integer({ min: 1, max: 6 }),
    perSeconds: fc.constantFrom(1, 2, 7, 60, 3600),
  });
  const steps = fc.array(fc.oneof(fc.nat(50), fc.nat(3_000), fc.nat(100_000), fc.integer({ min: -5_000, max: 0 })), {
    maxLength: 60,
  });

  it('never pass more often than the window says, and wait at most a thousandth of it too long', () => {
    fc.assert(
      fc.property(windows, steps, (window, waits) => {
        const state = createWindow();
        const lengthMs = window.perSeconds * 1000;
        const graceMs = Math.max(1, lengthMs / 1000);
        const passed: number[] = [];
        let clock = 1_000_000;
        let now = 0;
        for (const wait of waits) {
          clock += wait;
          now = Math.max(now, clock);
          const { isAllowed } = spendWindow(state, window, clock);
          const inWindow = passed.filter((time) => time > now - lengthMs).length;
          const inLonger = passed.filter((time) => time > now - lengthMs - graceMs).length;
          if (isAllowed) {
            expect(inWindow).toBeLessThan(window.requests);
            passed.push(now);
          } else expect(inLonger).toBeGreaterThanOrEqual(window.requests);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('pass after the time that a refusal tells', () => {
    fc.assert(
      fc.property(windows, steps, (window, waits) => {
        const state = createWindow();
        let clock = 1_000_000;
        for (const wait of waits) {
          clock += Math.max(0, wait);
          const refused = spendWindow(state, window, clock);
          if (refused.isAllowed) continue;
          expect(refused.retryAfterSeconds).toBeGreaterThanOrEqual(1);
          expect(judgeWindow(structuredClone(state), window, clock + refused.retryAfterSeconds * 1000).isAllowed).toBe(
            true,
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});
