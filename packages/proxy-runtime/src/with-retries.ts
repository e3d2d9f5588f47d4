import type { Dispatch, ExchangeCall, ExchangeSink } from './exchange.ts';
import type { LimitSignals } from './limit-signals.ts';
import { mayRepeatAfterAnswer, mayRepeatAfterFailure } from './may-repeat.ts';
import { retryAfterMs } from './retry-after.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { Exchange } from './transport.ts';
import { type SentBytes, UpstreamFailure } from './upstream-failure.ts';

export interface RetrySettings {
  /** The first one included; 1: nothing is ever tried again. */
  readonly attempts: number;
  /** The wait before attempt n + 1 is a random share of `baseMs` · 2ⁿ⁻¹, which `maxMs` bounds. `Retry-After` may ask for more. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/** What a lane's calls share for their further attempts. */
export interface RetryGround {
  readonly settings: RetrySettings;
  readonly budget: RetryBudget;
  /** The provider's own ways to say what 429 says. */
  readonly limitSignals: LimitSignals | undefined;
  /** All attempts of a call, and the waits between them, lie within it. */
  readonly totalMs: number;
  /** True when a further attempt would not be sent now. */
  readonly isRefusing: () => boolean;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
  /** Milliseconds since the epoch, for a wait that is told as a time. */
  readonly now: () => number;
}

/** Tries a call again as `may-repeat.ts` allows, within its total deadline and the lane's retry budget. */
export function withRetries(dispatch: Dispatch, ground: RetryGround): Dispatch {
  return (call, sink, _attempt, startedMs) => {
    ground.budget.countCall();
    const tried = new TriedCall(dispatch, ground, call, sink);
    tried.begin(startedMs);
    return tried;
  };
}

/**
 * States: trying → passing (the head of an answer was passed on) → over; or trying → waiting (for the next attempt; what is left
 * of a refused answer is read meanwhile) → trying. In waiting the only exchange that can speak is the refused one.
 */
class TriedCall implements ExchangeSink, Exchange {
  readonly #dispatch: Dispatch;
  readonly #ground: RetryGround;
  readonly #call: ExchangeCall;
  readonly #sink: ExchangeSink;
  #startedMs = 0;
  #attempt = 1;
  #inner: Exchange | undefined;
  #isWaiting = false;
  #isOver = false;
  /** Of all attempts so far but the present one. */
  #sentBytes: SentBytes = 'none';
  /** Why the attempt before failed; undefined when it was answered. */
  #lastFailure: UpstreamFailure | undefined;
  #timer: NodeJS.Timeout | undefined;
  #drainBytesLeft = 0;

  constructor(dispatch: Dispatch, ground: RetryGround, call: ExchangeCall, sink: ExchangeSink) {
    this.#dispatch = dispatch;
    this.#ground = ground;
    this.#call = call;
    this.#sink = sink;
  }

  /** Makes the present attempt. */
  begin(startedMs: number): void {
    this.#startedMs = startedMs;
    this.#inner = this.#dispatch(this.#call, this, this.#attempt, startedMs);
  }

  onHead(status: number, headers: string[], isStream: boolean): void {
    const { limitSignals } = this.#ground;
    const isPerhapsRefused = status >= 429 || (limitSignals !== undefined && status >= limitSignals.leastStatus);
    if (isPerhapsRefused && this.#retriesAnswer(status, headers)) return;
    this.#sink.onHead(status, headers, isStream);
  }

  onData(chunk: Uint8Array): boolean {
    if (!this.#isWaiting) return this.#sink.onData(chunk);
    this.#drainBytesLeft -= chunk.length;
    // More than that is not worth a connection.
    if (this.#drainBytesLeft < 0) this.#inner?.abort();
    return true;
  }

  onEnd(trailers: string[]): void {
    if (this.#isWaiting) return;
    this.#isOver = true;
    this.#sink.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isWaiting) return;
    if (this.#retriesFailure(failure)) return;
    this.#isOver = true;
    this.#sink.onFailure(this.#overAll(failure));
  }

  resume(): void {
    if (!this.#isWaiting) this.#inner?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#inner?.abort();
  }

  #retriesAnswer(status: number, headers: readonly string[]): boolean {
    const { limitSignals, now } = this.#ground;
    const nowMs = now();
    const retryAfter = retryAfterMs(headers, nowMs);
    const signalled = limitSignals?.waitMs(status, headers, nowMs);
    const isLimit = signalled !== undefined || (status === 429 && retryAfter !== undefined);
    const askedMs = Math.max(retryAfter ?? 0, signalled ?? 0);
    if (!mayRepeatAfterAnswer(this.#call, status, isLimit) || !this.#waits(askedMs)) return false;
    this.#sentBytes = 'some';
    this.#lastFailure = undefined;
    this.#drainBytesLeft = DRAIN_BYTES_MAX;
    return true;
  }

  #retriesFailure(failure: UpstreamFailure): boolean {
    if (!mayRepeatAfterFailure(this.#call, failure) || !this.#waits(0)) return false;
    if (failure.sentBytes === 'some') this.#sentBytes = 'some';
    this.#lastFailure = failure;
    return true;
  }

  /** False when there is no further attempt: none left, no time, no budget, or the breaker would not let it go. */
  #waits(askedMs: number): boolean {
    const { settings, budget, totalMs, isRefusing, random } = this.#ground;
    if (this.#attempt >= settings.attempts) return false;
    const waitMs = Math.max(askedMs, random() * Math.min(settings.maxMs, settings.baseMs * 2 ** (this.#attempt - 1)));
    const nowMs = performance.now();
    if (nowMs + waitMs >= this.#startedMs + totalMs || isRefusing() || !budget.take(nowMs)) return false;
    this.#isWaiting = true;
    this.#timer = setTimeout(tryAgain, waitMs, this);
    return true;
  }

  /** For the timer alone. */
  tryAgain(): void {
    // What has not come of the refused answer by now is not waited for; its connection closes.
    this.#inner?.abort();
    this.#isWaiting = false;
    if (performance.now() >= this.#startedMs + this.#ground.totalMs) {
      this.onFailure(lateFailure());
      return;
    }
    this.#attempt += 1;
    this.#call.onRetry?.(this.#attempt, this.#lastFailure?.code);
    this.begin(this.#startedMs);
  }

  /**
   * The failure of the call as a whole. What any attempt may have sent, the call may have sent; and that the breaker has opened
   * meanwhile says less than why the attempt before failed.
   */
  #overAll(failure: UpstreamFailure): UpstreamFailure {
    const told = failure.code === 'circuit_open' ? (this.#lastFailure ?? failure) : failure;
    return this.#sentBytes === 'some' ? told.withSentBytes('some') : told;
  }
}

/** The event loop was kept from the timer until the call's time was spent. */
function lateFailure(): UpstreamFailure {
  const detail = 'totalMs was spent before the next attempt could begin';
  return new UpstreamFailure({
    code: 'upstream_timeout',
    budget: 'totalMs',
    sentBytes: 'none',
    headPassed: false,
    detail,
  });
}

/** So much of a refused answer is read, for its connection to serve again. */
const DRAIN_BYTES_MAX = 65_536;

function tryAgain(tried: TriedCall): void {
  tried.tryAgain();
}
