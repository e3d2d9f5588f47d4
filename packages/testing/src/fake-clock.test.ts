import { expect, test } from 'vitest';
import { createFakeClock } from './fake-clock.ts';

test('time stands still until it is moved', async () => {
  const clock = createFakeClock(1000);
  expect(clock.now()).toBe(1000);
  await clock.advance(5);
  expect(clock.now()).toBe(1005);
  await expect(clock.advance(-1)).rejects.toThrow('only moves forward');
});

test('timers fire in order of time, each at its own time, and not a millisecond early', async () => {
  const clock = createFakeClock(0);
  const fired: [string, number][] = [];
  clock.setTimeout(() => fired.push(['late', clock.now()]), 20);
  clock.setTimeout(() => fired.push(['early', clock.now()]), 10);
  await clock.advance(9);
  expect(fired).toEqual([]);
  await clock.advance(11);
  expect(fired).toEqual([
    ['early', 10],
    ['late', 20],
  ]);
  expect(clock.pending).toBe(0);
});

test('a timer set by a timer, or after a promise, fires in the same advance', async () => {
  const clock = createFakeClock(0);
  const fired: number[] = [];
  clock.setTimeout(async () => {
    await Promise.resolve();
    clock.setTimeout(() => fired.push(clock.now()), 5);
  }, 5);
  await clock.advance(10);
  expect(fired).toEqual([10]);
});

test('an interval fires until it is cleared', async () => {
  const clock = createFakeClock(0);
  const fired: number[] = [];
  const timer = clock.setInterval(() => fired.push(clock.now()), 10).unref();
  await clock.advance(25);
  clock.clear(timer);
  await clock.advance(100);
  expect(fired).toEqual([10, 20]);
  expect(clock.pending).toBe(0);
});
