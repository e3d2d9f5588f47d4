/** Specification section 13: at most this share of a lane's traffic. */
const SHARE = 0.2;
/** Below 100 calls in the window a fifth is little or nothing: as many second attempts are granted whatever the traffic. */
const LEAST = 20;
/** The window is counted in slices of a second. */
const SLICES = 10;
const SLICE_MS = 1_000;

/**
 * How many second attempts a lane may make: in any 10 s at most 20, or a fifth of the calls made since the first of those
 * attempts, whichever is more. Without it an upstream that fails under load would get three times the load.
 */
export class RetryBudget {
  #calls = 0;
  /** The slice that each place of the rings is about. */
  readonly #slices = new Float64Array(SLICES).fill(Number.NEGATIVE_INFINITY);
  readonly #retries = new Float64Array(SLICES);
  /** Calls made when the slice began. */
  readonly #callsBefore = new Float64Array(SLICES);

  /** To be told of each call, before its first attempt. */
  countCall(): void {
    this.#calls += 1;
  }

  /** Takes one second attempt out of the budget; false when nothing is left. `nowMs`: of a clock that never goes back. */
  take(nowMs: number): boolean {
    const slice = Math.floor(nowMs / SLICE_MS);
    const place = slice % SLICES;
    if (this.#slices[place] !== slice) {
      this.#slices[place] = slice;
      this.#retries[place] = 0;
      this.#callsBefore[place] = this.#calls - 1;
    }
    let retries = 0;
    let callsBefore = this.#calls;
    for (let i = 0; i < SLICES; i++) {
      if ((this.#slices[i] as number) <= slice - SLICES) continue;
      retries += this.#retries[i] as number;
      callsBefore = Math.min(callsBefore, this.#callsBefore[i] as number);
    }
    if (retries + 1 > Math.max(LEAST, SHARE * (this.#calls - callsBefore))) return false;
    this.#retries[place] = (this.#retries[place] as number) + 1;
    return true;
  }
}
