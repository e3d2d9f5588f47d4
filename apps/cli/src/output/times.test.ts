import { describe, expect, test } from 'vitest';
import { Misuse } from '../exit.ts';
import { localTime, parseDuration, readTime } from './times.ts';

const NOW = Date.UTC(2026, 2, 1, 12);

test('a time is shown in the time zone of the machine', () => {
  expect(localTime(new Date(2026, 2, 1, 9, 5, 7).toISOString())).toBe('2026-03-01 09:05:07');
  expect(localTime(new Date(2026, 11, 31, 23, 59, 59).getTime())).toBe('2026-12-31 23:59:59');
});

test('what is no time is shown as it is', () => {
  expect(localTime('never')).toBe('never');
});

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
    ['2w', 1_209_600_000],
  ])('%s is understood', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(['', '0d', '-1d', '1', 'd', '1.5h', '1y', '1 h'])('"%s" is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('a time given on the command line', () => {
  test('as a duration lies before or after now', () => {
    expect(readTime('1h', '--from', { now: NOW, side: 'before' })).toBe('2026-03-01T11:00:00.000Z');
    expect(readTime('1h', '--expires-in', { now: NOW, side: 'after' })).toBe('2026-03-01T13:00:00.000Z');
  });

  test('with an offset means that moment, without one the local time', () => {
    const at = { now: NOW, side: 'after' } as const;
    expect(readTime('2026-04-01T10:00+02:00', '--to', at)).toBe('2026-04-01T08:00:00.000Z');
    expect(readTime('2026-04-01T10:00', '--to', at)).toBe(new Date(2026, 3, 1, 10).toISOString());
    expect(readTime('2026-04-01', '--to', at)).toBe(new Date(2026, 3, 1).toISOString());
  });

  test.each(['tomorrow', '2026', '2026-13-01', '12:00', '5'])('as "%s" is a misuse that names the option', (text) => {
    expect(() => readTime(text, '--to', { now: NOW, side: 'after' })).toThrow(Misuse);
    expect(() => readTime(text, '--to', { now: NOW, side: 'after' })).toThrow('--to');
  });
});
