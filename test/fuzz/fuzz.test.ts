import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';
import { startFuzzProcess, startFuzzTarget } from './fuzz-target.ts';

/** Printed with every failure; another one finds other things: `node test/fuzz/run.ts --cases 100000`. */
const SEED = 20_261_121;
const WORKERS = 64;

test('2,000 mutated requests and answers: no crash, no hang, no desync, no leak', async () => {
  await using target = await startFuzzTarget(WORKERS);
  const figures = await fuzz(target, { seed: SEED, cases: 2_000, workers: WORKERS });
  // Most cases must get somewhere, or the fuzzer tests nothing.
  expect(figures.answers).toBeGreaterThan(3_000);
  expect(figures.forwarded).toBeGreaterThan(1_500);
});

test('300 of them against the program in its own process', async () => {
  await using target = await startFuzzProcess(WORKERS);
  const figures = await fuzz(target, { seed: SEED + 1, cases: 300, workers: WORKERS });
  expect(figures.forwarded).toBeGreaterThan(200);
});
