import { describe, expect, test } from 'vitest';
import { compileLimitSignals, type LimitSignal, type LimitWaitForm } from './limit-signals.ts';

const NOW = Date.UTC(2026, 10, 21, 6, 0, 0);
const NOW_SECONDS = NOW / 1_000;

/** What an answer of status 403 says whose field `x-reset` has these values. */
function waitOf(as: LimitWaitForm, ...values: string[]): number | undefined {
  const signals = compileLimitSignals([{ statuses: [403], wait: { header: 'X-Reset', as } }]);
  const headers = values.flatMap((value, place) => [place % 2 === 0 ? 'x-reset' : 'X-RESET', value]);
  return signals?.waitMs(403, ['x-other', '1', ...headers], NOW);
}

test.each<[LimitWaitForm, string, number]>([
  ['retry-after', '2', 2_000],
  ['retry-after', 'Sat, 21 Nov 2026 06:00:05 GMT', 5_000],
  ['retry-after', 'Sat, 21 Nov 2026 05:00:05 GMT', 0],
  ['epoch-seconds', `${NOW_SECONDS + 7}`, 7_000],
  ['epoch-seconds', `${NOW_SECONDS + 7}.25`, 7_250],
  ['epoch-seconds', ` ${NOW_SECONDS + 7} `, 7_000],
  ['epoch-seconds', `${NOW_SECONDS}`, 0],
  ['epoch-seconds', `${NOW_SECONDS - 1}`, 0],
  ['epoch-seconds', '0', 0],
  ['epoch-seconds', '999999999999999', 999_999_999_999_999_000 - NOW],
  ['epoch-milliseconds', `${NOW + 7}`, 7],
  ['epoch-milliseconds', `${NOW - 7}`, 0],
  ['seconds', '0', 0],
  ['seconds', '1.5', 1_500],
  ['seconds', '0.0001', 1],
  ['duration', '250ms', 250],
  ['duration', '1s', 1_000],
  ['duration', '8.64s', 8_640],
  ['duration', '6m0s', 360_000],
  ['duration', '1m30s', 90_000],
  ['duration', '1h2m3.5s', 3_723_500],
  ['duration', '1s250ms', 1_250],
  ['duration', '2h', 7_200_000],
])('%s: %j asks for %d ms', (as, value, ms) => {
  expect(waitOf(as, value)).toBe(ms);
});

const NOTHING = [
  '',
  'soon',
  '-1',
  '+1',
  '1e3',
  '0x10',
  'NaN',
  'Infinity',
  '1,5',
  '1, 2',
  '1 2',
  '.5',
  '5.',
  '1'.repeat(16),
];

describe.each<[LimitWaitForm, string[]]>([
  ['retry-after', ['1.5', '5s']],
  ['epoch-seconds', ['5s', '2026-11-21T06:00:05Z', 'Sat, 21 Nov 2026 06:00:05 GMT']],
  ['epoch-milliseconds', ['5ms']],
  ['seconds', ['5s', 'Sat, 21 Nov 2026 06:00:05 GMT']],
  ['duration', ['5', 's', 'ms', '1s1m', '1m1m', '1d', '1 s', '1S', '-1s', '1s,2s']],
])('%s', (as, own) => {
  test.each([...NOTHING, ...own])('%j says nothing, and no wait is made up', (value) => {
    expect(waitOf(as, value)).toBeUndefined();
  });

  test('says nothing without its field, or with several values', () => {
    const good = as === 'duration' ? ['1s', '2s'] : ['1', '2'];
    expect(waitOf(as)).toBeUndefined();
    expect(waitOf(as, ...good)).toBeUndefined();
    expect(waitOf(as, good[0] as string, 'soon')).toBeUndefined();
    expect(waitOf(as, good[0] as string, good[0] as string)).toBeDefined();
  });
});

test('a text that almost is a duration is read in linear time', () => {
  expect(waitOf('duration', `${'1'.repeat(100_000)}h`)).toBeUndefined();
  expect(waitOf('duration', '1m'.repeat(50_000))).toBeUndefined();
});

describe('an answer fits a signal', () => {
  const wait = { header: 'x-reset', as: 'seconds' } as const;
  const fits = (signal: Omit<LimitSignal, 'wait'>, status: number, headers: string[]) =>
    compileLimitSignals([{ ...signal, wait }])?.waitMs(status, [...headers, 'x-reset', '3'], NOW) === 3_000;

  test('by its status', () => {
    expect(fits({ statuses: [403, 420] }, 403, [])).toBe(true);
    expect(fits({ statuses: [403, 420] }, 420, [])).toBe(true);
    expect(fits({ statuses: [403, 420] }, 404, [])).toBe(false);
    expect(fits({ statuses: [403] }, 429, [])).toBe(false);
  });

  test('by a field that it must have', () => {
    const signal = { statuses: [403], when: { header: 'X-Limited' } };
    expect(fits(signal, 403, ['x-limited', ''])).toBe(true);
    expect(fits(signal, 403, ['x-limited', 'a', 'X-Limited', 'b'])).toBe(true);
    expect(fits(signal, 403, ['x-limite', '1'])).toBe(false);
  });

  test('by a value that the field must have', () => {
    const signal = { statuses: [403], when: { header: 'x-remaining', equals: '0' } };
    expect(fits(signal, 403, ['X-Remaining', '0'])).toBe(true);
    expect(fits(signal, 403, ['X-Remaining', ' 0 '])).toBe(true);
    for (const value of ['', '00', '1', '0.0', '-0']) expect(fits(signal, 403, ['x-remaining', value])).toBe(false);
    expect(fits(signal, 403, ['x-remaining', '0', 'x-remaining', '1'])).toBe(false);
    expect(fits(signal, 403, [])).toBe(false);
  });
});

test('of several signals that fit the longest wait counts; one that says none is as if it were not there', () => {
  const signals = compileLimitSignals([
    { statuses: [403], wait: { header: 'a', as: 'seconds' } },
    { statuses: [403], wait: { header: 'b', as: 'seconds' } },
    { statuses: [403] },
    { statuses: [420], wait: { header: 'c', as: 'seconds' } },
  ]);
  expect(signals?.waitMs(403, ['a', '1', 'b', '2', 'c', '9'], NOW)).toBe(2_000);
  expect(signals?.waitMs(403, ['a', '3', 'b', '2'], NOW)).toBe(3_000);
  expect(signals?.waitMs(403, ['a', 'soon', 'b', '2'], NOW)).toBe(2_000);
  expect(signals?.waitMs(403, ['c', '9'], NOW)).toBeUndefined();
  expect(signals?.leastStatus).toBe(403);
});

test('no signals are nothing to look for', () => {
  expect(compileLimitSignals([])).toBeUndefined();
  expect(compileLimitSignals(undefined)).toBeUndefined();
});
