import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { collectorOfBuffers } from './young-heap.ts';

const MIB = 1024 * 1024;

/** Forced collections of the young generation while `operation` runs. */
async function collectionsDuring(operation: () => void): Promise<number> {
  const { NODE_PERFORMANCE_GC_MINOR, NODE_PERFORMANCE_GC_FLAGS_FORCED } = constants;
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind, flags } = (entry as PerformanceEntry & { detail: { kind: number; flags: number } }).detail;
      if (kind === NODE_PERFORMANCE_GC_MINOR && (flags & NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) count += 1;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  operation();
  // Entries are told after the turn in which they were made.
  await delay(50);
  observer.disconnect();
  return count;
}

describe('the collector of buffers', () => {
  it('collects the young generation once for every 8 MiB of large pieces', async () => {
    const note = collectorOfBuffers();
    const passed = await collectionsDuring(() => {
      for (let piece = 0; piece < 3 * 128; piece += 1) note(65_536);
    });
    expect(passed).toBe(3);
    expect(await collectionsDuring(() => note(8 * MIB - 1))).toBe(0);
    expect(await collectionsDuring(() => note(16_384))).toBe(1);
  });

  it('does nothing for small pieces, which the heap itself sees', async () => {
    const note = collectorOfBuffers();
    const passed = await collectionsDuring(() => {
      for (let piece = 0; piece < 2 * 1024; piece += 1) note(16_383);
    });
    expect(passed).toBe(0);
  });
});
