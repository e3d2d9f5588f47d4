import type { LimitVerdict } from '../ports/rate-limits.ts';

/** Where a call was counted. */
export interface Counted {
  /** The counter's key. */
  readonly counter: string;
  readonly perSeconds: number;
  /** Takes the call's permit back here, while there is a here; false: Redis has to. */
  putBack?(): boolean;
}

/** Permits to be given back to Redis. */
export interface SpentPermits {
  readonly counter: string;
  readonly perSeconds: number;
  /** When they were counted. */
  readonly atMs: number;
  readonly permits: number;
}

/** A verdict that knows where its call was counted: a map beside it is work for each call, and for the collector. */
export class RedisVerdict implements LimitVerdict {
  readonly isAllowed: boolean;
  readonly atMs: number;
  readonly remaining: number;
  readonly retryAfterSeconds: number;
  readonly resetSeconds: number;
  #counted: Counted | undefined;

  constructor(verdict: Omit<LimitVerdict, 'retryAfterSeconds'>, counted: Counted | undefined) {
    this.isAllowed = verdict.isAllowed;
    this.atMs = verdict.atMs;
    this.remaining = verdict.remaining;
    this.resetSeconds = verdict.resetSeconds;
    this.retryAfterSeconds = verdict.isAllowed ? 0 : verdict.resetSeconds;
    this.#counted = counted;
  }

  /** Gives the call back where it was counted; answers what Redis has to take back, if anything. Once: the second time, nothing. */
  giveBack(): SpentPermits | undefined {
    const counted = this.#counted;
    this.#counted = undefined;
    if (counted === undefined || counted.putBack?.()) return undefined;
    return { counter: counted.counter, perSeconds: counted.perSeconds, atMs: this.atMs, permits: 1 };
  }
}
