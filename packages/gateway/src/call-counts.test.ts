import { expect, test } from 'vitest';
import { CallCounts } from './call-counts.ts';

const READ = { tenant: 't', agent: 'a', integration: 'i', action: 'read' };
const NOW = 1_700_000_000_000;
const MINUTE = 60_000;

test('a call is counted for a minute, an hour and a day, and never too short', () => {
  const counts = new CallCounts();
  counts.add(READ, NOW);
  expect(counts.read(READ, NOW)).toEqual({ minute: 1, hour: 1, day: 1 });
  expect(counts.read(READ, NOW + MINUTE)).toEqual({ minute: 1, hour: 1, day: 1 });
  expect(counts.read(READ, NOW + MINUTE + 1_000)).toEqual({ minute: 0, hour: 1, day: 1 });
  expect(counts.read(READ, NOW + 60 * MINUTE)).toMatchObject({ hour: 1, day: 1 });
  expect(counts.read(READ, NOW + 61 * MINUTE)).toMatchObject({ hour: 0, day: 1 });
  expect(counts.read(READ, NOW + 24 * 60 * MINUTE)).toMatchObject({ day: 1 });
  expect(counts.read(READ, NOW + 24 * 60 * MINUTE + 15 * MINUTE)).toMatchObject({ day: 0 });
});

test('calls at different times leave one by one', () => {
  const counts = new CallCounts();
  for (let second = 0; second < 30; second += 1) counts.add(READ, NOW + second * 1_000);
  expect(counts.read(READ, NOW + 30_000).minute).toBe(30);
  expect(counts.read(READ, NOW + 70_000).minute).toBe(20);
  expect(counts.read(READ, NOW + 10 * MINUTE)).toMatchObject({ minute: 0, hour: 30 });
});

test('each agent and action has its own', () => {
  const counts = new CallCounts();
  counts.add(READ, NOW);
  for (const other of [{ tenant: 'u' }, { agent: 'b' }, { integration: 'j' }, { action: 'write' }]) {
    expect(counts.read({ ...READ, ...other }, NOW).minute).toBe(0);
  }
});

test('a clock that goes back forgets nothing', () => {
  const counts = new CallCounts();
  counts.add(READ, NOW);
  counts.add(READ, NOW - 10 * MINUTE);
  expect(counts.read(READ, NOW - 10 * MINUTE).minute).toBe(2);
  expect(counts.read(READ, NOW).minute).toBe(2);
});

test('counters are bounded; the one that counted longest ago goes first', () => {
  const counts = new CallCounts(2);
  for (const agent of ['a', 'b', 'a', 'c']) counts.add({ ...READ, agent }, NOW);
  expect(['a', 'b', 'c'].map((agent) => counts.read({ ...READ, agent }, NOW).minute)).toEqual([2, 0, 1]);
});
