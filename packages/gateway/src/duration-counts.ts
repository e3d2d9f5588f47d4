/** Upper bounds in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Counts durations for a histogram; costs the path of a call a short loop. */
export class DurationCounts {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sum = 0;

  count(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  /** Seconds, all together. */
  sum(): number {
    return this.#sum;
  }

  /** How many took no longer than each bound, the last of which takes all. */
  *upTo(): Iterable<readonly [bound: number | '+Inf', count: number]> {
    let below = 0;
    for (const [index, bound] of [...BOUNDS, '+Inf' as const].entries()) {
      below += this.#counts[index] as number;
      yield [bound, below];
    }
  }
}
