import type { ExchangeSink } from './exchange.ts';
import type { Exchange } from './transport.ts';
import { type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

export interface ExchangeRefusal {
  readonly code: UpstreamErrorCode;
  /** For the log only. */
  readonly detail: string;
  readonly retryAfterSeconds?: number | undefined;
}

/** An exchange that nothing is sent for: its sink hears of that once the caller has got hold of it, unless it aborts first. */
export function refuseExchange(sink: ExchangeSink, refusal: ExchangeRefusal): Exchange {
  const refused = new RefusedExchange(sink, refusal);
  process.nextTick(report, refused);
  return refused;
}

class RefusedExchange implements Exchange {
  readonly #sink: ExchangeSink;
  readonly #refusal: ExchangeRefusal;
  #isOver = false;

  constructor(sink: ExchangeSink, refusal: ExchangeRefusal) {
    this.#sink = sink;
    this.#refusal = refusal;
  }

  report(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.onFailure(new UpstreamFailure({ ...this.#refusal, sentBytes: 'none', headPassed: false }));
  }

  resume(): void {}

  abort(): void {
    this.#isOver = true;
  }
}

function report(refused: RefusedExchange): void {
  refused.report();
}
