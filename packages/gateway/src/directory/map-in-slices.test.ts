import { expect, test } from 'vitest';
import { mapInSlices } from './map-in-slices.ts';

test('other work has its turn while many items are mapped', async () => {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const items = Array.from({ length: 40 }, (_, index) => index);
  const mapped = await mapInSlices(items, (item) => {
    const end = performance.now() + 1;
    while (performance.now() < end);
    return 2 * item;
  });
  isDone = true;
  expect(mapped).toEqual(items.map((item) => 2 * item));
  // Forty milliseconds of work in slices of five.
  expect(turns).toBeGreaterThanOrEqual(5);
});

test('the first fault ends it', async () => {
  const mapping = mapInSlices([1, 2, 3], (item) => {
    if (item === 2) throw new Error('two');
    return item;
  });
  await expect(mapping).rejects.toThrow('two');
});
