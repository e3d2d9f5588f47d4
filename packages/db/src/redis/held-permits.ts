import type { CountedLimit } from '../ports/rate-limits.ts';
import { type Counted, RedisVerdict, type SpentPermits } from './redis-verdict.ts';

/** Permits that Redis has counted for calls that are still to come. */
export interface GivenPermits {
  readonly limit: CountedLimit;
  /** The key of the counter that counted them, and for when: never before a call that uses one. */
  readonly counter: string;
  readonly atMs: number;
  readonly permits: number;
  /** Of this node's clock: from then on no call uses one. */
  readonly untilMs: number;
  /** What the window has left beside them, and when it has more. */
  readonly remaining: number;
  readonly resetSeconds: number;
}

export class HeldPermits implements Counted {
  readonly counter: string;
  readonly perSeconds: number;
  readonly given: number;
  left: number;
  readonly #given: GivenPermits;
  #isOver = false;

  constructor(given: GivenPermits) {
    this.counter = given.counter;
    this.perSeconds = given.limit.perSeconds;
    this.given = given.permits;
    this.left = given.permits;
    this.#given = given;
  }

  /** False also where the rule says something else by now. */
  isFor({ requests, perSeconds }: CountedLimit, nowMs: number): boolean {
    const { limit, untilMs } = this.#given;
    return this.left > 0 && nowMs < untilMs && limit.requests === requests && limit.perSeconds === perSeconds;
  }

  take(): RedisVerdict {
    this.left -= 1;
    const { atMs, remaining, resetSeconds } = this.#given;
    return new RedisVerdict({ isAllowed: true, atMs, remaining: remaining + this.left, resetSeconds }, this);
  }

  putBack(): boolean {
    if (!this.#isOver) this.left += 1;
    return !this.#isOver;
  }

  /** Answers what no call has used, and lets none use it. */
  end(): SpentPermits | undefined {
    const { left: permits, counter, perSeconds } = this;
    this.#isOver = true;
    this.left = 0;
    return permits === 0 ? undefined : { counter, perSeconds, atMs: this.#given.atMs, permits };
  }
}
