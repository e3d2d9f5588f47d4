import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ErrorCode, PROBLEM_MEDIA_TYPE, Rejection, toProblem } from '@postern/schemas';
import { answerProblem } from './answers/documents.ts';
import type { Gateway } from './gateway.ts';
import { serveRequest } from './serve.ts';
import { trackConnections } from './stop-listener.ts';

export interface ListenerTls {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** PEM; when given, clients must show a certificate of it. */
  readonly clientCa?: string | undefined;
}

/** Specification section 4: the head has 32 KiB and 10 s. */
const HEAD_BYTES_MAX = 32_768;
const HEAD_TIMEOUT_MS = 10_000;
/** A whole request, its body included. */
const REQUEST_TIMEOUT_MS = 300_000;
/** Longer than the keep-alive of common clients, so that they close first and never write into a closing connection. */
const KEEP_ALIVE_MS = 65_000;
/** How long a client that was refused by hand may keep its side open. */
const LINGER_MS = 1_000;

/**
 * The data plane's HTTP server. Knows HTTP's edges alone: what the parser refuses, what never becomes a request, and how
 * connections end. Not listening yet.
 */
export function createListener(gateway: Gateway, tls?: ListenerTls): Server {
  const options = {
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A missing Host is refused by the first stage, with an answer a person can read.
    requireHostHeader: false,
    noDelay: true,
  };
  const server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tlsOptions(tls) });
  trackConnections(server);
  // Node drops fields over its own count without a word; the first stage counts and refuses.
  server.maxHeadersCount = 0;
  server.on('request', (request, response) => serve(gateway, request, response, false));
  server.on('checkContinue', (request, response) => serve(gateway, request, response, true));
  server.on('checkExpectation', (request, response) => {
    answerProblem(
      { request, response, continueExpected: false },
      new Rejection('malformed_request', 'The only expectation known is 100-continue.'),
      gateway.newRequestId(),
    );
  });
  server.on('connect', (_request, socket) =>
    refuseRaw(gateway, socket, 'method_not_allowed', 'CONNECT is not supported here.'),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseUnparsed(gateway, error, socket));
  return server;
}

function tlsOptions(tls: ListenerTls): Record<string, unknown> {
  const client = tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true };
  return {
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HEAD_TIMEOUT_MS,
    ...client,
  };
}

function serve(gateway: Gateway, request: IncomingMessage, response: ServerResponse, continueExpected: boolean): void {
  // A pipelined request waits for its turn: before that nobody would tell that its client has left.
  if (response.socket === null) {
    response.once('socket', () => serve(gateway, request, response, continueExpected));
    return;
  }
  if (gateway.isStopping()) response.shouldKeepAlive = false;
  void serveRequest(gateway, { request, response, continueExpected });
}

function refuseUnparsed(gateway: Gateway, error: NodeJS.ErrnoException, socket: Duplex): void {
  // Refused already: what still comes is passed over.
  if (socket.writableEnded && !socket.destroyed) return;
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return refuseRaw(
        gateway,
        socket,
        'headers_too_large',
        `The request head may have at most ${HEAD_BYTES_MAX} bytes.`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refuseRaw(gateway, socket, 'request_timeout', 'The request did not arrive in time.');
    default:
      return refuseRaw(gateway, socket, 'malformed_request', 'What arrived is not an HTTP/1.1 request.');
  }
}

/**
 * A call that arrived whole before the fault has the connection: the client would take a refusal for its answer. Node gives no
 * other way to ask than its own `_httpMessage`, the response whose turn it is.
 */
function isAnswering(socket: Duplex): boolean {
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null };
  return response != null && (response.headersSent || response.req.complete);
}

/** An answer on a connection whose parser has given up: written by hand, and the last thing on it. */
function refuseRaw(gateway: Gateway, socket: Duplex, code: ErrorCode, detail: string): void {
  const requestId = gateway.newRequestId();
  const problem = toProblem(new Rejection(code, detail), requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `postern-request-id: ${requestId}`,
    'connection: close',
  ];
  // Node has let go of a CONNECT's socket: an error nobody listens for would end the process, and an open one would stay.
  socket.on('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Closing over unread bytes would reset the connection, and the client might lose the answer.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
