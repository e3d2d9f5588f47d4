/** How a cache gets what it does not have, and judges what it has. */
export interface CachedRead<T> {
  /** Asks the truth, the repository; what it rejects with goes to the caller as it is. Nothing is kept of an answer `undefined`. */
  readonly read: () => Promise<T | undefined>;
  /**
   * The value of this JSON, which the cache kept; undefined when it is none, as after an upgrade: then it is read anew. What is
   * read must survive JSON.
   */
  readonly parse: (kept: unknown) => T | undefined;
}

/**
 * Milliseconds for which a cache answers what somebody's rights rest on: counted from before it was read, by the store's clock, and
 * less than 2,000, so that a change is in effect after 2 s even where it was told to nobody.
 */
export const VERIFIED_MS_MAX = 1_500;
