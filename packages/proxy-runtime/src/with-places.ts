import type { Dispatch, ExchangeSink } from './exchange.ts';
import { refuseExchange } from './refused-exchange.ts';
import type { Exchange } from './transport.ts';
import type { UpstreamFailure } from './upstream-failure.ts';

/** The calls on one lane. An edited integration's new lane goes on counting those of the old one. */
export interface Places {
  inFlight: number;
}

/**
 * At most `concurrency` calls at one time; one more fails at once. A call holds its place over all its attempts and the waits
 * between them: a waiting call still is load that somebody has put on this upstream.
 */
export function withPlaces(dispatch: Dispatch, places: Places, concurrency: number): Dispatch {
  return (call, sink, attempt, startedMs) => {
    if (places.inFlight >= concurrency) {
      return refuseExchange(sink, { code: 'upstream_saturated', detail: `${concurrency} calls are running already` });
    }
    const placed = new PlacedExchange(sink, places);
    placed.begin(dispatch(call, placed, attempt, startedMs));
    return placed;
  };
}

class PlacedExchange implements ExchangeSink, Exchange {
  readonly #sink: ExchangeSink;
  readonly #places: Places;
  #inner: Exchange | undefined;
  #isOver = false;

  constructor(sink: ExchangeSink, places: Places) {
    this.#sink = sink;
    this.#places = places;
    places.inFlight += 1;
  }

  begin(inner: Exchange): void {
    this.#inner = inner;
  }

  onHead(status: number, headers: string[], isStream: boolean): void {
    this.#sink.onHead(status, headers, isStream);
  }

  onData(chunk: Uint8Array): boolean {
    return this.#sink.onData(chunk);
  }

  onEnd(trailers: string[]): void {
    this.#leave();
    this.#sink.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#leave();
    this.#sink.onFailure(failure);
  }

  resume(): void {
    this.#inner?.resume();
  }

  abort(): void {
    this.#leave();
    this.#inner?.abort();
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#places.inFlight -= 1;
  }
}
