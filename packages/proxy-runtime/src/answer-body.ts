import type { ExchangeSink } from './exchange.ts';
import type { Exchange } from './transport.ts';
import type { UpstreamFailure } from './upstream-failure.ts';

export interface AnswerHead {
  readonly status: number;
  /** Flat pairs, not yet filtered. */
  readonly headers: string[];
}

/**
 * An exchange's sink that offers the answer as a promise of its head and an async iterable of its body. It holds at most one
 * high-water mark of bytes and pauses the upstream above it. The body can be read once; leaving it early aborts the exchange.
 */
export class AnswerBody implements ExchangeSink, AsyncIterableIterator<Uint8Array> {
  readonly #head = Promise.withResolvers<AnswerHead>();
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #exchange: Exchange | undefined;
  #state: 'running' | 'ended' | 'failed' = 'running';
  #failure: unknown;
  #waiting: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined;
  #onOver: (() => void) | undefined;

  /** Rejects with what the exchange fails with before its head. */
  get head(): Promise<AnswerHead> {
    return this.#head.promise;
  }

  /** `onOver` is called once, when the exchange has ended in whatever way. */
  attach(exchange: Exchange, onOver: () => void): void {
    this.#exchange = exchange;
    this.#onOver = onOver;
  }

  /** Ends the exchange from this side; the reader gets `reason`. */
  cancel(reason: unknown): void {
    if (this.#state !== 'running') return;
    this.#exchange?.abort();
    this.#settle('failed', reason);
  }

  onHead(status: number, headers: string[]): void {
    this.#head.resolve({ status, headers });
  }

  onData(chunk: Uint8Array): boolean {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: chunk });
      return true;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < HIGH_WATER_BYTES;
  }

  onEnd(): void {
    this.#settle('ended', undefined);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#settle('failed', failure);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#bytes -= chunk.length;
      if (this.#bytes < HIGH_WATER_BYTES) this.#exchange?.resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#state === 'ended') return Promise.resolve({ done: true, value: undefined });
    if (this.#state === 'failed') return Promise.reject(this.#failure);
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'running') {
      this.#exchange?.abort();
      this.#settle('ended', undefined);
    }
    this.#chunks.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  #settle(state: 'ended' | 'failed', failure: unknown): void {
    this.#state = state;
    this.#failure = failure;
    this.#onOver?.();
    if (state === 'failed') this.#head.reject(failure);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (state === 'ended') waiting?.resolve({ done: true, value: undefined });
    else waiting?.reject(failure);
  }
}

const HIGH_WATER_BYTES = 65_536;
