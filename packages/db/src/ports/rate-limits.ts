/** A rate limit that a call has to pass. */
export interface CountedLimit {
  readonly tenant: string;
  /** Id of the rule. */
  readonly rule: string;
  /** Names the counter within the tenant's. */
  readonly key: string;
  /** How many pass in any window. */
  readonly requests: number;
  /** Length of the window, which slides. */
  readonly perSeconds: number;
}

/** What a limit says of one more call. */
export interface LimitVerdict {
  readonly isAllowed: boolean;
  /** When the call was counted, in milliseconds since the epoch; later than asked where the clock went back. */
  readonly atMs: number;
  /** Calls that still pass now, after this one when it was spent. */
  readonly remaining: number;
  /** Seconds until a refused call would pass, at least 1; 0 when allowed. */
  readonly retryAfterSeconds: number;
  /** Seconds until more is left than now. */
  readonly resetSeconds: number;
}

/**
 * Counters of rate limits. Volatile: they may be lost at any time, which loses the history of a quota and nothing else. What is known
 * in this process is answered without a promise; a shared store fails `unavailable` in its command's time, and may then have counted.
 *
 * Counters are bounded for each tenant. Where a tenant has no room for another one, the calls it would count share one with all others of
 * their rule that found none: many keys never let more pass.
 */
export interface RateLimitsPort {
  /**
   * Spends a call in all of `limits`, or in none when one refuses; atomic against all other calls. The verdicts stand in the order
   * of the limits.
   */
  spend(limits: readonly CountedLimit[], nowMs: number): readonly LimitVerdict[] | Promise<readonly LimitVerdict[]>;
  /** What `spend` would say, and nothing is spent. */
  judge(limits: readonly CountedLimit[], nowMs: number): readonly LimitVerdict[] | Promise<readonly LimitVerdict[]>;
  /**
   * Gives back a call that provably was not sent; the verdicts are those that `spend` gave, the same objects. Once for a call, and nothing
   * when a limit refused it or once it has left the window.
   */
  giveBack(limits: readonly CountedLimit[], verdicts: readonly LimitVerdict[]): void | Promise<void>;
}
