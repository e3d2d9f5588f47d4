import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { listenOnAnyPort, trackSockets, urlHost } from './listen.ts';

/** One request as it arrived, nothing decoded, nothing merged. */
export interface RecordedRequest {
  readonly method: string;
  /** The request target exactly as on the wire. */
  readonly url: string;
  /** Names and values by turns, in wire order and spelling. */
  readonly rawHeaders: readonly string[];
  /** Lower-case names; several fields of one name joined by a comma and a space. */
  readonly headers: Readonly<Record<string, string>>;
  readonly rawTrailers: readonly string[];
  /** The body bytes so far; all of them once `complete`. Transfer coding is taken off, content coding is not. */
  readonly body: Uint8Array;
  /** The whole message arrived. */
  readonly complete: boolean;
  /** Settles when the message ended or its connection broke; ask `complete` which. Never rejects. */
  readonly ended: Promise<void>;
}

export type UpstreamHandler = (request: RecordedRequest, response: ServerResponse) => void | Promise<void>;

export interface UpstreamOptions {
  /** Answers each request; default `answerEcho`. */
  readonly handler?: UpstreamHandler;
  /** When the handler is called: after the whole body (default) or as soon as the head is there. */
  readonly answerAt?: 'end' | 'head';
  /** PEM key and certificate: the server then speaks https. With `clientCa` it demands a client certificate of that authority. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly clientCa?: string };
  /** Address to bind; default `127.0.0.1`. */
  readonly host?: string;
}

export interface Upstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Every request since the start, in order of arrival. */
  readonly requests: readonly RecordedRequest[];
  /** Connections accepted since the start. */
  readonly connections: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** Changes how later requests are answered. */
  answerWith(handler: UpstreamHandler): void;
  /** Settles when `count` requests have begun since the start. */
  waitForRequests(count: number): Promise<void>;
  /** Cuts all connections and frees the port. May be called twice. */
  close(): Promise<void>;
}

/** A real HTTP server on a port of the system's choice that keeps every request it gets. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const host = options.host ?? '127.0.0.1';
  const requests: RecordedRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let handler = options.handler ?? answerEcho;

  const onRequest = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = record(incoming);
    requests.push(request);
    for (const waiter of waiting.filter(({ count }) => requests.length >= count)) waiter.resolve();
    if (options.answerAt !== 'head') await request.ended;
    if (response.destroyed) return;
    try {
      await handler(request, response);
    } catch (error) {
      // A handler that fails must be seen by the test as a broken upstream, not as a hanging one.
      response.destroy(error instanceof Error ? error : undefined);
    }
  };

  const server =
    options.tls === undefined ? createServer(onRequest) : createTlsServer(tlsOptions(options.tls), onRequest);
  const sockets = trackSockets(server);
  const port = await listenOnAnyPort(server, host);

  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${urlHost(host)}:${port}`,
    port,
    requests,
    get connections() {
      return sockets.accepted();
    },
    get openConnections() {
      return sockets.open.size;
    },
    answerWith: (next) => {
      handler = next;
    },
    waitForRequests: (count) =>
      requests.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    close: sockets.closeAll,
    [Symbol.asyncDispose]: sockets.closeAll,
  };
}

function tlsOptions({ clientCa, ...pair }: NonNullable<UpstreamOptions['tls']>) {
  return clientCa === undefined ? pair : { ...pair, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}

/** Answers 200 with JSON: `{method, url, headers, body}`, the body as text. */
export function answerEcho(request: RecordedRequest, response: ServerResponse): void {
  const { method, url, headers } = request;
  const text = JSON.stringify({ method, url, headers, body: new TextDecoder().decode(request.body) });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

function record(incoming: IncomingMessage): RecordedRequest {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    incoming.once('end', resolve);
    incoming.once('close', resolve);
  });
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    rawHeaders: [...incoming.rawHeaders],
    headers: joinHeaders(incoming.rawHeaders),
    get rawTrailers() {
      return incoming.rawTrailers;
    },
    get body() {
      return new Uint8Array(Buffer.concat(chunks));
    },
    get complete() {
      return incoming.complete;
    },
    ended,
  };
}

function joinHeaders(rawHeaders: readonly string[]): Record<string, string> {
  // No prototype, so that a field named `__proto__` is kept like any other.
  const headers: Record<string, string> = Object.create(null);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}
