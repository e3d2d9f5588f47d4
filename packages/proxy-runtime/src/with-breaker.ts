import { type Admission, type CircuitBreaker, REFUSED } from './breaker.ts';
import type { Dispatch, ExchangeSink } from './exchange.ts';
import { refuseExchange } from './refused-exchange.ts';
import type { Exchange } from './transport.ts';
import type { UpstreamFailure } from './upstream-failure.ts';

/** Sends nothing while the breaker is open, and tells it how each attempt went. */
export function withBreaker(dispatch: Dispatch, breaker: CircuitBreaker): Dispatch {
  return (call, sink, attempt, startedMs) => {
    const admission = breaker.admit();
    if (admission === REFUSED) {
      return refuseExchange(sink, {
        code: 'circuit_open',
        detail: `the breaker is ${breaker.state}`,
        retryAfterSeconds: Math.max(1, Math.ceil(breaker.retryAfterMs() / 1_000)),
      });
    }
    const judged = new JudgedAttempt(sink, breaker, admission, attempt);
    judged.begin(dispatch(call, judged, attempt, startedMs));
    return judged;
  };
}

/**
 * An attempt is judged by its head, or by its failure before one. Against the upstream count: no connection, a break-off, a spent
 * budget, 502, 503 and 504. Every other answer shows an upstream that works, 429 and 500 among them. What comes after the head
 * counts neither way: how a body fares is also its reader's doing.
 */
class JudgedAttempt implements ExchangeSink, Exchange {
  readonly #sink: ExchangeSink;
  readonly #breaker: CircuitBreaker;
  readonly #attempt: number;
  /** `REFUSED` once it has been handed back. */
  #admission: Admission;
  #inner: Exchange | undefined;

  constructor(sink: ExchangeSink, breaker: CircuitBreaker, admission: Admission, attempt: number) {
    this.#sink = sink;
    this.#breaker = breaker;
    this.#admission = admission;
    this.#attempt = attempt;
  }

  begin(inner: Exchange): void {
    this.#inner = inner;
  }

  onHead(status: number, headers: string[], isStream: boolean): void {
    const admission = this.#handBack();
    if (status === 502 || status === 503 || status === 504) this.#breaker.failed(admission);
    else this.#breaker.succeeded(admission);
    this.#sink.onHead(status, headers, isStream);
  }

  onData(chunk: Uint8Array): boolean {
    return this.#sink.onData(chunk);
  }

  onEnd(trailers: string[]): void {
    this.#sink.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#admission !== REFUSED) this.#judge(failure);
    this.#sink.onFailure(failure);
  }

  resume(): void {
    this.#inner?.resume();
  }

  abort(): void {
    if (this.#admission !== REFUSED) this.#breaker.released(this.#handBack());
    this.#inner?.abort();
  }

  #judge(failure: UpstreamFailure): void {
    const admission = this.#handBack();
    if (failure.code === 'response_too_large' || failure.code === 'redirect_refused') {
      this.#breaker.succeeded(admission);
      return;
    }
    // A later attempt has only what is left of the call's time, which may be too little for any upstream.
    const hadLessTime = failure.budget === 'totalMs' && this.#attempt > 1;
    if (failure.fault === 'caller' || hadLessTime) this.#breaker.released(admission);
    else this.#breaker.failed(admission);
  }

  #handBack(): Admission {
    const admission = this.#admission;
    this.#admission = REFUSED;
    return admission;
  }
}
