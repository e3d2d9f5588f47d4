/** Opens after `failures` failed attempts within `windowMs`, for `openMs`. */
export interface BreakerSettings {
  readonly failures: number;
  readonly windowMs: number;
  readonly openMs: number;
}

export type BreakerState = 'closed' | 'half_open' | 'open';

/** An attempt's leave to be made, to be handed back with its end: `succeeded`, `failed` or `released`. */
export type Admission = number;

/** What `admit` says instead of giving leave. */
export const REFUSED: Admission = -1;

/**
 * Keeps attempts away from an upstream that fails, one breaker for each upstream and credential.
 *
 * States: closed → open, when the latest `failures` failures lie within `windowMs` and at least half of the attempts since the
 * oldest failure of the window have failed, so that a busy upstream with one fault in a thousand stays open to callers. Open →
 * half open `openMs` later, with the next attempt as its one probe; all others are refused meanwhile. Half open → closed when
 * the probe succeeds, → open when it fails; a probe that ends without a verdict gives its place to the next attempt.
 *
 * Each change begins a new epoch; an attempt that was admitted in an earlier one has nothing to say any more.
 */
export class CircuitBreaker {
  readonly settings: BreakerSettings;
  readonly #clock: () => number;
  #state: BreakerState = 'closed';
  #epoch: Admission = 0;
  #isProbing = false;
  #openedAt = 0;
  /** Successes since the breaker closed; wraps nowhere near a number that matters. */
  #succeeded = 0;
  readonly #recent: RecentFailures;

  /** `clock`: milliseconds that never go back; default `performance.now`. */
  constructor(settings: BreakerSettings, clock: () => number = monotonicMs) {
    this.settings = settings;
    this.#clock = clock;
    this.#recent = new RecentFailures(settings.failures + SHARE_SAMPLE);
  }

  /** Asked before each attempt. `REFUSED`: nothing may be sent. */
  admit(): Admission {
    if (this.#state === 'closed') return this.#epoch;
    if (this.#state === 'open') {
      if (this.#clock() - this.#openedAt < this.settings.openMs) return REFUSED;
      this.#enter('half_open');
    }
    if (this.#isProbing) return REFUSED;
    this.#isProbing = true;
    return this.#epoch;
  }

  succeeded(admission: Admission): void {
    if (admission !== this.#epoch) return;
    if (this.#state === 'closed') this.#succeeded += 1;
    else this.#enter('closed');
  }

  failed(admission: Admission): void {
    if (admission !== this.#epoch) return;
    if (this.#state === 'half_open' || this.#isTooMany()) this.#enter('open');
  }

  /** The attempt ended and says nothing of the upstream: its client left, or its request was at fault. */
  released(admission: Admission): void {
    if (admission === this.#epoch) this.#isProbing = false;
  }

  /** What the next attempt would meet; `half_open` as soon as a probe may go. */
  get state(): BreakerState {
    return this.#state === 'open' && this.retryAfterMs() === 0 ? 'half_open' : this.#state;
  }

  /** True when an attempt made now would be refused. */
  isRefusing(): boolean {
    return this.#state !== 'closed' && (this.#isProbing || this.retryAfterMs() > 0);
  }

  /** Milliseconds until the next probe may go; 0 when it may, or when one is under way. */
  retryAfterMs(): number {
    return this.#state === 'open' ? Math.max(0, this.#openedAt + this.settings.openMs - this.#clock()) : 0;
  }

  #isTooMany(): boolean {
    const { failures, windowMs } = this.settings;
    this.#recent.add(this.#clock(), windowMs, this.#succeeded);
    return this.#recent.count >= failures && this.#recent.count >= this.#succeeded - this.#recent.succeededBefore;
  }

  #enter(state: BreakerState): void {
    this.#state = state;
    this.#epoch += 1;
    this.#isProbing = false;
    if (state === 'open') this.#openedAt = this.#clock();
    if (state === 'closed') this.#succeeded = 0;
    this.#recent.clear();
  }
}

/** Failures that are kept beyond `failures`, to tell their share of the attempts. */
const SHARE_SAMPLE = 64;

/** The failures of a sliding window, oldest first, in a ring; when it is full the oldest is forgotten. */
class RecentFailures {
  readonly #at: Float64Array;
  /** How many attempts had succeeded before each. */
  readonly #succeededBefore: Float64Array;
  #oldest = 0;
  count = 0;

  constructor(capacity: number) {
    this.#at = new Float64Array(capacity);
    this.#succeededBefore = new Float64Array(capacity);
  }

  add(nowMs: number, windowMs: number, succeeded: number): void {
    const capacity = this.#at.length;
    while (this.count > 0 && nowMs - (this.#at[this.#oldest] as number) > windowMs) this.#forgetOldest();
    if (this.count === capacity) this.#forgetOldest();
    const place = (this.#oldest + this.count) % capacity;
    this.#at[place] = nowMs;
    this.#succeededBefore[place] = succeeded;
    this.count += 1;
  }

  /** Successes before the oldest failure that is kept. */
  get succeededBefore(): number {
    return this.#succeededBefore[this.#oldest] as number;
  }

  clear(): void {
    this.count = 0;
  }

  #forgetOldest(): void {
    this.#oldest = (this.#oldest + 1) % this.#at.length;
    this.count -= 1;
  }
}

function monotonicMs(): number {
  return performance.now();
}
