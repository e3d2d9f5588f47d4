import type { PutOutcome } from '../ports/volatile/put-outcome.ts';

export interface KeptValue {
  readonly value: string;
  readonly remainingMs: number;
}

/** Where a value is kept that is read through, and who reads it. All three belong to one tenant. */
export interface ReadThroughKeys {
  readonly entry: string;
  /** Who reads the value at present. */
  readonly lease: string;
  /** Entries of another generation are none: a new one empties the tenant's cache. */
  readonly generation: string;
}

export interface ReadThroughTimes {
  readonly leaseMs: number;
  /** From the look that found nothing; at least `leaseMs`. */
  readonly ttlMs: number;
}

export type Look =
  | { readonly found: 'value'; readonly value: string }
  /** Nothing is there, and the caller is who reads it; `token` is what `fill` asks for. */
  | { readonly found: 'lease'; readonly token: string }
  /** Another reads it. */
  | { readonly found: 'busy' };

/**
 * What the volatile stores are written on: texts under keys, each for a time. Each operation is atomic against all others of all nodes
 * (`removeByPrefix` is not), fails `unavailable` within the connection's deadline when the engine does not answer, and may then have
 * happened or happen later. Times are counted by the engine's own clock. A key whose time is over is absent.
 */
export interface KeyStore {
  get(key: string): Promise<KeptValue | undefined>;
  put(key: string, value: string, ttlMs: number): Promise<void>;
  /** Only when absent; whether it was. */
  add(key: string, value: string, ttlMs: number): Promise<boolean>;
  /** Gives the value and removes it. */
  take(key: string): Promise<string | undefined>;
  remove(keys: readonly string[]): Promise<void>;
  /** These three only when the value is `value`; whether it was. */
  renewIf(key: string, value: string, ttlMs: number): Promise<boolean>;
  replaceIf(key: string, value: string, next: { readonly value: string; readonly ttlMs: number }): Promise<boolean>;
  removeIf(key: string, value: string): Promise<boolean>;
  /** Keeps a value with an order number (0..2^53-1) unless there is one of a higher number. */
  putNewer(key: string, value: string, at: { readonly order: number; readonly ttlMs: number }): Promise<PutOutcome>;
  /** The value and its order. */
  getNewest(key: string): Promise<(KeptValue & { readonly order: number }) | undefined>;
  /** Adds to the end of a list of at most `itemsMax`, whose time begins anew. */
  append(key: string, value: string, list: { readonly itemsMax: number; readonly ttlMs: number }): Promise<void>;
  /** Oldest first. */
  items(key: string): Promise<readonly string[]>;
  /** The value of the present generation, or the lease to read it. */
  look(keys: ReadThroughKeys, times: ReadThroughTimes): Promise<Look>;
  /**
   * Keeps what the lease's owner has read, until `ttlMs` after its look. False, and nothing is kept, when the lease is gone:
   * it ended, or was removed together with the entry, or the generation is another one.
   */
  fill(
    keys: ReadThroughKeys,
    read: ReadThroughTimes & { readonly token: string; readonly value: string },
  ): Promise<boolean>;
  /** Removes all keys that begin so, and tells how many whose name does not end in `notCounted`. */
  removeByPrefix(prefix: string, notCounted: string): Promise<number>;
}
