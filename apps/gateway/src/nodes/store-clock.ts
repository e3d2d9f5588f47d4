/** One asking of the store for its time, by this process's monotonic clock. */
export interface ClockReading {
  /** What the store said, in milliseconds since the epoch. */
  readonly storeMs: number;
  readonly askedMs: number;
  readonly answeredMs: number;
}

/**
 * The time by which nodes of one store judge leases, expiry and everything else that they must agree on: the store's. It is read now and then and
 * runs on by the monotonic clock, so neither a machine whose clock is wrong nor one whose clock jumps judges otherwise than the others.
 */
export class StoreClock {
  readonly #clock: () => number;
  /** Store's time less monotonic time. */
  #offsetMs: number | undefined;

  /** `clock` gives milliseconds that never go back. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Goes as near to what the store said as the time that its answer took lets us know. */
  read({ storeMs, askedMs, answeredMs }: ClockReading): void {
    const least = storeMs - answeredMs;
    const most = storeMs - askedMs;
    this.#offsetMs ??= (least + most) / 2;
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, least), most);
  }

  /** Milliseconds since the epoch. Not before the first reading. */
  readonly now = (): number => {
    if (this.#offsetMs === undefined) throw new Error('the store was not asked for its time yet');
    return Math.floor(this.#clock() + this.#offsetMs);
  };
}
