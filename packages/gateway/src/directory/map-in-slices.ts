import { setImmediate } from 'node:timers/promises';

/** Calls are served by the same event loop: after this long it is given back to them. */
const SLICE_MS = 5;

/** `map` over many items. Few take one slice, and are done without waiting. */
export async function mapInSlices<Item, Result>(
  items: readonly Item[],
  map: (item: Item) => Result,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  let sliceEnd = performance.now() + SLICE_MS;
  for (const item of items) {
    results.push(map(item));
    if (performance.now() < sliceEnd) continue;
    await setImmediate();
    sliceEnd = performance.now() + SLICE_MS;
  }
  return results;
}
