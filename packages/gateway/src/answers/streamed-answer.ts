import type { ServerResponse } from 'node:http';
import { type Exchange, filterResponseHeaders, type UpstreamFailure } from '@postern/proxy-runtime';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import type { GuardedCall } from '../stages/guard-target.ts';
import type { CredentialedCall } from '../stages/inject-credential.ts';
import { type Ending, ForwardRejection, resultOf, settle } from '../stages/settle.ts';
import { type Answer, type Completion, linkScope } from './answer.ts';
import { rewriteLinks } from './rewrite-links.ts';

/**
 * Passes the answer on as it comes, at the client's pace.
 *
 * States: waiting → head passed → over. A failure while waiting is thrown to the caller of `forward`; after the head the
 * connection is cut, so that the client can tell. A client that leaves aborts the upstream call.
 */
export class StreamedAnswer implements Answer {
  readonly #response: ServerResponse;
  readonly #extraHeaders: readonly string[];
  #gateway!: Gateway;
  #call!: GuardedCall;
  #completion!: Completion;
  #exchange: Exchange | undefined;
  #status: number | undefined;
  #bytesLeft = Number.POSITIVE_INFINITY;
  #isOver = false;

  /** `extraHeaders`: flat pairs of the gateway's own that go with the answer. */
  constructor(client: ClientExchange, extraHeaders: readonly string[]) {
    this.#response = client.response;
    this.#extraHeaders = extraHeaders;
  }

  begin(gateway: Gateway, { intent }: CredentialedCall, completion: Completion): boolean {
    this.#gateway = gateway;
    this.#call = intent.guarded;
    this.#completion = completion;
    this.#response.on('close', this.#onClose);
    if (!this.#response.destroyed) return true;
    this.#finish({ result: 'not_sent', code: 'client_gone' });
    return false;
  }

  attach(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  onHead(status: number, headers: string[], isStream: boolean): void {
    if (this.#isOver) return;
    this.#status = status;
    const { integration } = this.#call.allowed.call;
    const passed = filterResponseHeaders(headers, integration.headerPolicy);
    rewriteLinks(passed, () => linkScope(this.#gateway, this.#call));
    this.#bytesLeft = announcedLength(passed);
    for (const item of this.#extraHeaders) passed.push(item);
    this.#response.writeHead(status, passed);
    // The first event of a stream may be long in coming; else the head goes out with the first bytes.
    if (isStream) this.#response.flushHeaders();
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#bytesLeft -= chunk.byteLength;
    // The last announced byte: body and end go in one write.
    if (this.#bytesLeft === 0) {
      this.#response.end(chunk);
      return true;
    }
    const isTaken = this.#response.write(chunk);
    if (!isTaken) this.#response.once('drain', this.#onDrain);
    return isTaken;
  }

  onEnd(): void {
    if (this.#isOver) return;
    if (!this.#response.writableEnded) this.#response.end();
    this.#finish({ result: 'done', status: this.#status });
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    this.#gateway.metrics.countUpstreamError(failure.code);
    if (this.#status === undefined) {
      this.#leave();
      this.#completion.reject(new ForwardRejection(failure));
      return;
    }
    this.#cut();
    this.#finish({ result: resultOf(failure), status: this.#status, code: failure.code });
  }

  /** No last chunk, or too few bytes, tell the client. HTTP/1.0 has neither for a body without length: a reset does. */
  #cut(): void {
    const { socket, req } = this.#response;
    if (req.httpVersionMinor === 0 && this.#bytesLeft === Number.POSITIVE_INFINITY) socket?.resetAndDestroy();
    this.#response.destroy();
  }

  #onDrain = (): void => {
    this.#exchange?.resume();
  };

  /** The client's connection is gone before the answer was complete. */
  #onClose = (): void => {
    if (this.#isOver) return;
    if (this.#response.writableFinished) return;
    this.#exchange?.abort();
    this.#finish({
      result: this.#status === undefined ? 'unknown' : 'failed',
      status: this.#status,
      code: 'client_gone',
    });
  };

  #finish(ending: Ending): void {
    this.#leave();
    settle(this.#gateway, this.#call.allowed.call.caller.request.event, ending);
    this.#completion.resolve();
  }

  #leave(): void {
    this.#isOver = true;
    this.#response.off('close', this.#onClose);
  }
}

/** The body's length as announced; infinite when it is not. */
function announcedLength(headers: readonly string[]): number {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 14 && name.toLowerCase() === 'content-length') return Number(headers[i + 1]);
  }
  return Number.POSITIVE_INFINITY;
}
