import { createHash } from 'node:crypto';
import { Rejection } from '@postern/schemas';
import { announcesBody, type ClientExchange } from '../client-exchange.ts';
import { faultOf } from '../request-fault.ts';
import { NO_BODY, type RequestBody } from './request-body.ts';

/**
 * A body that is not received first but passes as it comes. Nothing of it is asked for yet. `onDigest` hears `sha-256:` and hex once
 * all of it has passed.
 *
 * @throws Rejection `request_too_large` when the announced length is over the limit.
 */
export function streamBody(
  exchange: ClientExchange,
  bytesMax: number,
  onDigest: (digest: string) => void,
): RequestBody {
  const { request } = exchange;
  if (!announcesBody(request)) return NO_BODY;
  const length = request.headers['content-length'];
  const announcedBytes = length === undefined ? undefined : Number(length);
  if (announcedBytes !== undefined && announcedBytes > bytesMax) throw tooLarge(bytesMax);
  return { kind: 'stream', stream: new StreamedBody(exchange, { bytesMax, announcedBytes, onDigest }) };
}

interface StreamTerms {
  readonly bytesMax: number;
  readonly announcedBytes: number | undefined;
  readonly onDigest: (digest: string) => void;
}

/** How long a client whose answer has ended may go on sending the body that nobody reads. */
const LINGER_MS = 5_000;

/**
 * The client's body, read at the pace of whoever iterates over it. It can be read once.
 *
 * States: waiting (the client is held back; with `Expect: 100-continue` it has not been told to go on) → flowing, from the first
 * `next` on, which the transport asks for when its connection is up → ended, or broken: by the first byte over the limit, by what is
 * no body, or by the end of the call. A client that leaves is noticed by the answer, which ends the call: here nothing comes until then.
 */
export class StreamedBody implements AsyncIterableIterator<Uint8Array> {
  readonly #exchange: ClientExchange;
  readonly #terms: StreamTerms;
  readonly #hash = createHash('sha256');
  #state: 'waiting' | 'flowing' | 'ended' | 'broken' = 'waiting';
  /** Why it is broken. */
  #reason: Error = RELEASED;
  #byteLength = 0;
  #asked: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined;

  constructor(exchange: ClientExchange, terms: StreamTerms) {
    this.#exchange = exchange;
    this.#terms = terms;
  }

  /** Its exact length when the client has told it. */
  get announcedBytes(): number | undefined {
    return this.#terms.announcedBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with `request_too_large` for the chunk that would pass the limit, and with what else is wrong with the request. */
  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'waiting') this.#begin();
    switch (this.#state) {
      case 'ended':
        return Promise.resolve({ done: true, value: undefined });
      case 'broken':
        return Promise.reject(this.#reason);
      case 'waiting':
      case 'flowing':
        this.#asked ??= Promise.withResolvers();
        break;
    }
    const { promise } = this.#asked;
    this.#give();
    return promise;
  }

  /** The reader has left early. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.#break(RELEASED);
    return Promise.resolve({ done: true, value: undefined });
  }

  /**
   * To be called at the end of the call, however it ended. Where the answer was complete before the body, the rest is passed over
   * for a while, so that the client gets to read the answer, and then the connection is closed.
   */
  release(): void {
    this.#break(RELEASED);
    const { request, response } = this.#exchange;
    // Refused calls are answered after this, and see to the rest themselves.
    if (request.complete || request.destroyed || !response.writableEnded) return;
    const timer = setTimeout(() => request.destroy(), LINGER_MS).unref();
    request.once('close', () => clearTimeout(timer));
    request.resume();
  }

  #begin(): void {
    const { request, response, continueExpected } = this.#exchange;
    const fault = faultOf(request);
    if (fault !== undefined) return this.#break(fault);
    this.#state = 'flowing';
    if (continueExpected) response.writeContinue();
    request.on('readable', this.#give);
    request.on('end', this.#onEnd);
    request.on('error', this.#onError);
  }

  #give = (): void => {
    const asked = this.#asked;
    if (asked === undefined) return;
    const chunk = this.#exchange.request.read() as Uint8Array | null;
    if (chunk === null) return;
    this.#byteLength += chunk.byteLength;
    if (this.#byteLength > this.#terms.bytesMax) return this.#break(tooLarge(this.#terms.bytesMax));
    this.#hash.update(chunk);
    this.#asked = undefined;
    asked.resolve({ done: false, value: chunk });
  };

  #onEnd = (): void => {
    this.#state = 'ended';
    this.#leave();
    this.#terms.onDigest(`sha-256:${this.#hash.digest('hex')}`);
    this.#asked?.resolve({ done: true, value: undefined });
    this.#asked = undefined;
  };

  #onError = (error: unknown): void => {
    // Every other error is a client that has left.
    if (error instanceof Rejection) this.#break(error);
  };

  #break(reason: Error): void {
    if (this.#state === 'ended' || this.#state === 'broken') return;
    this.#state = 'broken';
    this.#reason = reason;
    this.#leave();
    this.#asked?.reject(reason);
    this.#asked = undefined;
  }

  #leave(): void {
    const { request } = this.#exchange;
    request.off('readable', this.#give);
    request.off('end', this.#onEnd);
    // `#onError` stays: an error of the client's connection that nobody listens for would end the process.
  }
}

const RELEASED = new Error('the call has ended');

function tooLarge(bytesMax: number): Rejection {
  return new Rejection('request_too_large', `The body may have at most ${bytesMax} bytes.`);
}
