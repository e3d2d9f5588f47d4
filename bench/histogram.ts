/**
 * Latencies in whole microseconds, counted in buckets that grow with the value: exact below 128 µs, within 0.8 % above. Two histograms
 * are merged by adding their counts.
 */
export interface Histogram {
  add(us: number): void;
  clear(): void;
  /** Counts by bucket, without the empty end; what crosses to another process. */
  counts(): number[];
}

/** Buckets to each doubling of the value: 2^7. */
const BUCKET_BITS = 7;
const PER_DOUBLING = 1 << BUCKET_BITS;
/** Values of 31 bits: up to 35 minutes. */
const BUCKETS = (32 - BUCKET_BITS) * PER_DOUBLING;

export function createHistogram(): Histogram {
  const buckets = new Uint32Array(BUCKETS);
  return {
    add(us) {
      const index = bucketOf(Math.round(us));
      buckets[index] = (buckets[index] ?? 0) + 1;
    },
    clear: () => void buckets.fill(0),
    counts() {
      const end = buckets.findLastIndex((count) => count > 0) + 1;
      return Array.from(buckets.subarray(0, end));
    },
  };
}

/** The value in microseconds that the share `quantile` (0..1) of all samples does not exceed; NaN without samples. */
export function quantileUs(counts: readonly number[], quantile: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const wanted = Math.max(1, Math.ceil(total * quantile));
  let seen = 0;
  for (const [index, count] of counts.entries()) {
    seen += count;
    if (seen >= wanted) return middleOf(index);
  }
  return Number.NaN;
}

function bucketOf(us: number): number {
  const value = Math.min(Math.max(us, 0), 0x7fff_ffff);
  if (value < PER_DOUBLING) return value;
  const shift = 31 - Math.clz32(value) - BUCKET_BITS;
  return shift * PER_DOUBLING + (value >>> shift);
}

function middleOf(bucket: number): number {
  if (bucket < 2 * PER_DOUBLING) return bucket;
  const shift = Math.floor(bucket / PER_DOUBLING) - 1;
  const low = (bucket - shift * PER_DOUBLING) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}
