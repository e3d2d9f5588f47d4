/** Enough to hide the way to the database and back, not so many that their results crowd the memory. */
const AT_ONCE = 250;

/**
 * Runs `operation` on all items and answers in their order. The first of each is begun in order; up to 250 are under way at
 * once, so that ten thousand writes do not wait for ten thousand answers one after the other. Rejects with the first failure.
 */
export async function atOnce<T, R>(items: readonly T[], operation: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + AT_ONCE).map(operation))));
  }
  return results;
}
