import type { TokenAnswer } from '@postern/credentials';
import { type Exchange, type ExchangeSink, UpstreamFailure } from '@postern/proxy-runtime';

/** Collects the whole answer of a token endpoint, which its lane keeps small, within one deadline for all of it. */
export class CollectedTokenAnswer implements ExchangeSink {
  readonly #answer = Promise.withResolvers<TokenAnswer>();
  readonly #now: () => number;
  readonly #chunks: Uint8Array[] = [];
  #exchange: Exchange | undefined;
  #status = 0;
  #headers: readonly string[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Rejects with `UpstreamFailure`. */
  get answer(): Promise<TokenAnswer> {
    return this.#answer.promise;
  }

  attach(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  onHead(status: number, headers: string[], isStream: boolean): void {
    this.#status = status;
    this.#headers = headers;
    if (!isStream) return;
    // A stream has budgets beyond the total one, and no token endpoint answers with one.
    this.#exchange?.abort();
    const detail = 'the token endpoint answers with a stream';
    this.#answer.reject(new UpstreamFailure({ code: 'upstream_reset', detail, sentBytes: 'some', headPassed: true }));
  }

  onData(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    return true;
  }

  onEnd(): void {
    const body = Buffer.concat(this.#chunks);
    this.#answer.resolve({ status: this.#status, headers: this.#headers, body, receivedAt: this.#now() });
  }

  onFailure(failure: UpstreamFailure): void {
    this.#answer.reject(failure);
  }
}
