import type { IncomingMessage } from 'node:http';
import { Rejection } from '@postern/schemas';
import { announcesBody, type ClientExchange } from '../client-exchange.ts';
import { faultOf } from '../request-fault.ts';
import type { BodyMemory } from './body-memory.ts';
import { ChunkList } from './chunk-list.ts';
import { MEMORY_BODY_BYTES_MAX, NO_BODY, type ReceivedBody } from './request-body.ts';
import { SpoolWriter } from './spool-writer.ts';

export interface BodyLimits {
  /** The largest body taken; one byte more is `request_too_large`. */
  readonly bytesMax: number;
  /** Where larger bodies are spooled. */
  readonly spoolFolder: string;
  /** What bodies that are not spooled take their memory from. */
  readonly memory: BodyMemory;
}

/**
 * Receives the client's body whole.
 *
 * @throws Rejection `request_too_large` (by the announced length before a byte is read, else at the first byte over),
 *   `malformed_request` when the client leaves in the middle or sends what is no body, `request_timeout` when it is too slow,
 *   `overloaded` when the spool cannot be written or there is no memory left.
 */
export function receiveBody(exchange: ClientExchange, limits: BodyLimits): ReceivedBody | Promise<ReceivedBody> {
  const { request, response } = exchange;
  if (!announcesBody(request)) return NO_BODY;
  // Left while something else was waited for: nothing would ever be heard of the request again.
  const fault = faultOf(request) ?? (request.destroyed ? clientGone() : undefined);
  if (fault !== undefined) throw fault;
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limits.bytesMax) throw tooLarge(limits.bytesMax);
  if (exchange.continueExpected) response.writeContinue();
  return new BodyReception(request, limits, announced).promise;
}

function clientGone(): Rejection {
  return new Rejection('malformed_request', 'The client left before its request was complete.');
}

function tooLarge(bytesMax: number): Rejection {
  return new Rejection('request_too_large', `The body may have at most ${bytesMax} bytes.`);
}

/**
 * Collects in memory while the body may turn out small and there is memory for it; else into a spool, with the client held back
 * by its pace. A small body that was spooled for want of memory is brought back at its end, so that rules look into it as ever.
 */
class BodyReception {
  readonly promise: Promise<ReceivedBody>;
  readonly #request: IncomingMessage;
  readonly #limits: BodyLimits;
  readonly #chunks = new ChunkList();
  #byteLength = 0;
  /** Of the limits' memory. */
  #heldBytes = 0;
  /** undefined while everything is in memory. */
  #writer: SpoolWriter | undefined;
  #over = false;
  #resolve!: (body: ReceivedBody) => void;
  #reject!: (error: unknown) => void;

  constructor(request: IncomingMessage, limits: BodyLimits, announcedBytes: number) {
    this.#request = request;
    this.#limits = limits;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (announcedBytes > MEMORY_BODY_BYTES_MAX) this.#openWriter();
    request.on('data', this.#onData);
    request.on('end', this.#onEnd);
    request.on('error', this.#onGone);
    request.on('close', this.#onGone);
  }

  #onData = (chunk: Uint8Array): void => {
    if (this.#over) return;
    this.#byteLength += chunk.byteLength;
    if (this.#byteLength > this.#limits.bytesMax) return this.#fail(tooLarge(this.#limits.bytesMax));
    if (this.#writer === undefined && this.#takeMemory(chunk.byteLength)) return this.#chunks.add(chunk);
    const writer = this.#writer ?? this.#openWriter();
    writer.add(chunk);
    if (writer.pendingBytes >= PENDING_BYTES_MAX) this.#request.pause();
  };

  #takeMemory(bytes: number): boolean {
    if (this.#byteLength > MEMORY_BODY_BYTES_MAX || !this.#limits.memory.take(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  #giveMemory(): void {
    this.#limits.memory.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #openWriter(): SpoolWriter {
    const writer = new SpoolWriter({
      folder: this.#limits.spoolFolder,
      onIdle: () => {
        this.#giveMemory();
        this.#request.resume();
      },
      onFailed: (error) => this.#fail(spoolFailed(error)),
    });
    this.#writer = writer;
    for (const chunk of this.#chunks.drain()) writer.add(chunk);
    return writer;
  }

  #onEnd = (): void => {
    if (this.#over) return;
    if (this.#writer !== undefined) return void this.#finishSpooled(this.#writer);
    this.#leave();
    if (this.#byteLength === 0) return this.#resolve(NO_BODY);
    this.#resolve({ kind: 'bytes', bytes: this.#chunks.concat(), memory: this.#limits.memory });
  };

  #onGone = (error?: unknown): void => {
    if (this.#over) return;
    // A request may have come whole and be closed before all of it was read: then its end never comes.
    if (this.#request.readableEnded) return;
    this.#fail(error instanceof Rejection ? error : clientGone());
  };

  async #finishSpooled(writer: SpoolWriter): Promise<void> {
    const spool = await writer.end();
    if (this.#over || spool === undefined) return;
    if (this.#byteLength > MEMORY_BODY_BYTES_MAX) {
      this.#leave();
      return this.#resolve({ kind: 'spooled', spool, byteLength: this.#byteLength });
    }
    if (!this.#limits.memory.take(this.#byteLength)) return this.#fail(noMemory());
    this.#heldBytes = this.#byteLength;
    try {
      const bytes = await spool.readAll();
      if (this.#over) return;
      this.#leave();
      spool.dispose();
      this.#resolve({ kind: 'bytes', bytes, memory: this.#limits.memory });
    } catch (error) {
      this.#fail(spoolFailed(error));
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#leave();
    this.#giveMemory();
    this.#writer?.dispose();
    this.#reject(error);
  }

  /** The listeners stay: they know that it is over, and to take them off is work for each call. */
  #leave(): void {
    this.#over = true;
  }
}

/** How much may be on its way to the disk before the client is held back. */
const PENDING_BYTES_MAX = 65_536;

function spoolFailed(cause: unknown): Rejection {
  return new Rejection('overloaded', 'The gateway cannot hold a body of this size at present.', { cause });
}

/** The calls that hold the memory end within their budgets. */
export function noMemory(): Rejection {
  return new Rejection('overloaded', 'The bodies of other calls fill the memory at present.', {
    details: { retryAfterSeconds: 1 },
  });
}
