import type { IncomingMessage } from 'node:http';
import { Rejection } from '@postern/schemas';
import { announcesBody, type ClientExchange } from '../client-exchange.ts';
import { MEMORY_BODY_BYTES_MAX, NO_BODY, type RequestBody } from './request-body.ts';
import { Spool } from './spool.ts';

export interface BodyLimits {
  /** The largest body taken; one byte more is `request_too_large`. */
  readonly bytesMax: number;
  /** Where larger bodies are spooled. */
  readonly spoolFolder: string;
}

/**
 * Receives the client's body whole.
 *
 * @throws Rejection `request_too_large` (by the announced length before a byte is read, else at the first byte over),
 *   `malformed_request` when the client leaves in the middle, `overloaded` when the spool cannot be written.
 */
export function receiveBody(exchange: ClientExchange, limits: BodyLimits): RequestBody | Promise<RequestBody> {
  const { request, response } = exchange;
  if (!announcesBody(request)) return NO_BODY;
  // Left while something else was waited for: nothing would ever be heard of the request again.
  if (request.destroyed) throw clientGone();
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limits.bytesMax) throw tooLarge(limits.bytesMax);
  if (exchange.continueExpected) response.writeContinue();
  return new BodyReception(request, limits).promise;
}

function clientGone(): Rejection {
  return new Rejection('malformed_request', 'The client left before its request was complete.');
}

function tooLarge(bytesMax: number): Rejection {
  return new Rejection('request_too_large', `The body may have at most ${bytesMax} bytes.`);
}

/** Collects in memory; from the first byte over the memory limit on, into a spool, with the client held back by its pace. */
class BodyReception {
  readonly promise: Promise<RequestBody>;
  readonly #request: IncomingMessage;
  readonly #limits: BodyLimits;
  readonly #chunks: Uint8Array[] = [];
  #byteLength = 0;
  #spool: Spool | undefined;
  /** Appends in order; undefined while everything is in memory. */
  #spooling: Promise<void> | undefined;
  #over = false;
  #resolve!: (body: RequestBody) => void;
  #reject!: (error: unknown) => void;

  constructor(request: IncomingMessage, limits: BodyLimits) {
    this.#request = request;
    this.#limits = limits;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    request.on('data', this.#onData);
    request.on('end', this.#onEnd);
    request.on('error', this.#onGone);
    request.on('close', this.#onGone);
  }

  #onData = (chunk: Uint8Array): void => {
    if (this.#over) return;
    this.#byteLength += chunk.byteLength;
    if (this.#byteLength > this.#limits.bytesMax) return this.#fail(tooLarge(this.#limits.bytesMax));
    if (this.#spooling === undefined && this.#byteLength <= MEMORY_BODY_BYTES_MAX) {
      this.#chunks.push(chunk);
      return;
    }
    this.#request.pause();
    this.#spooling = (this.#spooling ?? this.#openSpool())
      .then(() => this.#spool?.append(chunk))
      .then(
        () => {
          this.#request.resume();
        },
        (error) => this.#fail(spoolFailed(error)),
      );
  };

  async #openSpool(): Promise<void> {
    const spool = await Spool.create(this.#limits.spoolFolder);
    this.#spool = spool;
    if (this.#over) return spool.dispose();
    for (const chunk of this.#chunks) await spool.append(chunk);
    this.#chunks.length = 0;
  }

  #onEnd = (): void => {
    if (this.#spooling === undefined) return this.#finish();
    this.#spooling.then(() => this.#finish());
  };

  #onGone = (): void => {
    // A request may have come whole and be closed before all of it was read: then its end never comes.
    if (this.#request.readableEnded) return;
    this.#fail(clientGone());
  };

  #finish(): void {
    if (this.#over) return;
    this.#leave();
    const spool = this.#spool;
    if (spool !== undefined) return this.#resolve({ kind: 'spooled', spool, byteLength: this.#byteLength });
    const only = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
    const bytes = only ?? Buffer.concat(this.#chunks, this.#byteLength);
    this.#resolve(bytes.byteLength === 0 ? NO_BODY : { kind: 'bytes', bytes });
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#leave();
    this.#spool?.dispose();
    this.#reject(error);
  }

  #leave(): void {
    this.#over = true;
    this.#request.off('data', this.#onData);
    this.#request.off('end', this.#onEnd);
    this.#request.off('close', this.#onGone);
  }
}

function spoolFailed(cause: unknown): Rejection {
  return new Rejection('overloaded', 'The gateway cannot hold a body of this size at present.', { cause });
}
