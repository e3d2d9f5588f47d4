import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Connection, ConnectionPool } from './connection-pool.ts';
import { codeOfError } from './map-upstream-error.ts';
import { openBody } from './outgoing-body.ts';
import { explainTlsFault } from './tls-fault.ts';
import type { BodyStream, Exchange, OutgoingRequest, ResponseSink } from './transport.ts';
import type { FailureReport } from './upstream-failure.ts';

type ParsedHeaders = Record<string, string | string[] | undefined>;

/**
 * One request on one undici client: undici's raw handler on the one side, the seam's `ResponseSink` on the other.
 *
 * States: waiting (for a connection), started (undici has begun to write), over. The transition to over happens once, by the
 * end, a failure or an abort, and gives the connection back.
 */
export class UndiciExchange implements Dispatcher.DispatchHandler, Exchange {
  readonly #request: OutgoingRequest;
  readonly #sink: ResponseSink;
  #pool: ConnectionPool | undefined;
  #connection: Connection | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isDispatching = false;
  #isOver = false;
  /** The answer has neither a length nor chunks: only the end of the connection ends it. */
  #endsWithConnection = false;
  #isBodyBroken = false;

  constructor(request: OutgoingRequest, sink: ResponseSink) {
    this.#request = request;
    this.#sink = sink;
  }

  dispatch(pool: ConnectionPool): void {
    const { method, pathAndQuery, headers, body, bodyBytes } = this.#request;
    let opened: Uint8Array | BodyStream | undefined;
    try {
      opened = body === undefined ? undefined : openBody(body, this);
    } catch (error) {
      return this.refuse(`the body cannot be read: ${error}`);
    }
    const connection = pool.acquire();
    this.#pool = pool;
    this.#connection = connection;
    this.#isDispatching = true;
    const options = {
      method,
      path: pathAndQuery,
      headers: bodyBytes === undefined ? headers : [...headers, 'content-length', String(bodyBytes)],
      body: opened as Uint8Array | Readable | undefined,
      servername: pool.servername,
      blocking: false,
    };
    connection.client.dispatch(options, this);
    this.#isDispatching = false;
  }

  /** For the body's own stream. */
  onBodyBroken(): void {
    this.#isBodyBroken = true;
  }

  /** Fails before anything was tried. */
  refuse(detail: string): void {
    this.#isOver = true;
    this.#reportLater({ code: 'upstream_unavailable', sentBytes: 'none', detail, fault: 'caller' });
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#end(false);
    this.#controller?.abort(ABORTED);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // undici writes nothing when this throws. A second start would be a second sending of the same request.
    if (this.#isOver || this.#controller !== undefined) throw ABORTED;
    this.#controller = controller;
    this.#sink.onStart();
  }

  onRequestSent(): void {
    if (!this.#isOver) this.#sink.onSent();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ParsedHeaders): void {
    if (this.#isOver || status < 200) return;
    this.#endsWithConnection = headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
    this.#sink.onHead(status, flatten(headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#isOver) return;
    if (!this.#sink.onData(chunk)) controller.pause();
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: ParsedHeaders): void {
    if (this.#isOver) return;
    const error = this.#endsWithConnection ? this.#connection?.socketError : undefined;
    if (error !== undefined) {
      this.#fail(error);
      return;
    }
    this.#end(true);
    this.#sink.onEnd(flatten(trailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#isOver) this.#fail(error);
  }

  #fail(error: Error): void {
    const hasStarted = this.#controller !== undefined;
    this.#end(false);
    const report = { ...reportOf(error, hasStarted), fault: this.#faultOf(error) };
    if (this.#isDispatching) this.#reportLater(report);
    else this.#sink.onFailure(report);
  }

  #faultOf(error: Error): 'upstream' | 'caller' {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return this.#isBodyBroken || CALLER_FAULTS.has(code) ? 'caller' : 'upstream';
  }

  #reportLater(report: FailureReport): void {
    process.nextTick(reportFailure, this.#sink, report);
  }

  #end(isReusable: boolean): void {
    this.#isOver = true;
    const connection = this.#connection;
    if (connection !== undefined) this.#pool?.release(connection, isReusable);
  }
}

/** What undici says of a request that it cannot write, and of one whose connection was closed from this side. */
const CALLER_FAULTS: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
]);

const ABORTED = new Error('the exchange was aborted');

function reportFailure(sink: ResponseSink, report: FailureReport): void {
  sink.onFailure(report);
}

/** Before undici begins to write, every error but a time-out means that no connection was had. */
function reportOf(error: Error, hasStarted: boolean): FailureReport {
  const code = codeOfError(error);
  const detail = explainTlsFault(error) ?? error.message;
  if (hasStarted) return { code: code ?? 'upstream_reset', sentBytes: 'some', detail, cause: error };
  const isTimeout = code === 'upstream_timeout';
  return { code: isTimeout ? code : 'upstream_unavailable', sentBytes: 'none', detail, cause: error };
}

/** undici has parsed the head into an object already; its values are latin1, as Node writes them. */
function flatten(headers: ParsedHeaders): string[] {
  const pairs: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') pairs.push(name, value);
    else if (value !== undefined) for (const one of value) pairs.push(name, one);
  }
  return pairs;
}
