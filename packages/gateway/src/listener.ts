import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Rejection } from '@postern/schemas';
import type { ClientExchange } from './client-exchange.ts';
import type { Gateway } from './gateway.ts';
import { currentResponse, endConnection, incompleteRequest, isEnding, refuseByHand } from './refuse-connection.ts';
import { serveRequest } from './serve.ts';
import { watchSlowClients } from './slow-clients.ts';
import { HEAD_BYTES_MAX } from './stages/check-framing.ts';
import { connectionsOf, trackConnections } from './stop-listener.ts';
import { FORWARDED_METHODS } from './ways-in/last-hop.ts';

export interface ListenerTls {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** PEM; when given, clients must show a certificate of it. */
  readonly clientCa?: string | undefined;
}

export interface ListenerOptions {
  readonly tls?: ListenerTls | undefined;
  /** Default 10 000; one more is refused with `overloaded`. */
  readonly connectionsMax?: number | undefined;
  /** How long a client may move no byte in the middle of a body or an answer; default 60 s. */
  readonly stallMs?: number | undefined;
  /** How often slow clients are looked for; default 0.5 s. */
  readonly sweepMs?: number | undefined;
}

/** Specification section 4. */
const HEAD_TIMEOUT_MS = 10_000;
/** A whole request, its body included. */
const REQUEST_TIMEOUT_MS = 300_000;
const STALL_MS = 60_000;
const CONNECTIONS_MAX = 10_000;
/** Refused ones linger for a moment; above this the kernel's answer must do. */
const CONNECTIONS_SPARE = 1_000;
/** Requests that wait on one connection for the answer of the one before. */
const PIPELINED_MAX = 100;
/** Longer than the keep-alive of common clients, so that they close first and never write into a closing connection. */
const KEEP_ALIVE_MS = 65_000;

/**
 * The data plane's HTTP server. Knows HTTP's edges alone: what the parser refuses, what never becomes a request, and how
 * connections end. Not listening yet.
 */
export function createListener(gateway: Gateway, options: ListenerOptions = {}): Server {
  const { tls, connectionsMax = CONNECTIONS_MAX, stallMs = STALL_MS, sweepMs } = options;
  const server =
    tls === undefined ? createServer(SERVER_OPTIONS) : createTlsServer({ ...SERVER_OPTIONS, ...tlsOptions(tls) });
  // Node drops fields over its own count without a word; the first stage counts and refuses.
  server.maxHeadersCount = 0;
  server.maxConnections = connectionsMax + CONNECTIONS_SPARE;
  trackConnections(server);
  watchSlowClients(server, {
    stallMs,
    sweepMs,
    headMs: HEAD_TIMEOUT_MS,
    onStalledBody: (socket) => endConnection(gateway, socket, tooSlow()),
  });
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    if (connectionsOf(server).size > connectionsMax) refuseByHand(gateway, socket, overloaded());
  });
  const serve = (request: IncomingMessage, response: ServerResponse, continueExpected: boolean) =>
    serveInTurn(gateway, { request, response, continueExpected });
  server.on('request', (request, response) => serve(request, response, false));
  server.on('checkContinue', (request, response) => serve(request, response, true));
  // The first stage refuses it.
  server.on('checkExpectation', (request, response) => serve(request, response, false));
  server.on('connect', (_request, socket) => endConnection(gateway, socket, connectRefused()));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => onClientError(gateway, error, socket));
  return server;
}

const SERVER_OPTIONS = {
  maxHeaderSize: HEAD_BYTES_MAX,
  headersTimeout: HEAD_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 500,
  keepAliveTimeout: KEEP_ALIVE_MS,
  // A missing Host is refused by the first stage, with an answer a person can read.
  requireHostHeader: false,
  noDelay: true,
} as const;

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

/** How many requests of a connection wait for their turn. */
const waiting = new WeakMap<Socket, number>();

function serveInTurn(gateway: Gateway, exchange: ClientExchange): void {
  const { request, response } = exchange;
  // A pipelined request waits for its turn: before that nobody would tell that its client has left.
  if (response.socket === null) {
    wait(request.socket, 1);
    response.once('socket', () => {
      wait(request.socket, -1);
      serveInTurn(gateway, exchange);
    });
    return;
  }
  if (gateway.isStopping() || isEnding(request.socket)) response.shouldKeepAlive = false;
  void serveRequest(gateway, exchange);
}

/** Whoever sends without end and never waits for an answer would fill the memory with requests. */
function wait(socket: Socket, change: number): void {
  const count = (waiting.get(socket) ?? 0) + change;
  waiting.set(socket, count);
  if (count > PIPELINED_MAX) socket.destroy();
}

function onClientError(gateway: Gateway, error: NodeJS.ErrnoException, socket: Duplex): void {
  if (isEnding(socket)) return;
  const isBetweenRequests = incompleteRequest(socket) === undefined;
  const hasLeft = error.code === 'HPE_INVALID_EOF_STATE' && isBetweenRequests && currentResponse(socket) !== undefined;
  if (hasLeft || isNoHttp(error) || !socket.writable) socket.destroy();
  else endConnection(gateway, socket, rejectionOf(error));
}

/** The connection broke, or never came about: nobody can be told anything on it. */
function isNoHttp({ code }: NodeJS.ErrnoException): boolean {
  return code === undefined || !(code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT');
}

/** undefined: nothing needs to be said. */
function rejectionOf({ code }: NodeJS.ErrnoException): Rejection | undefined {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Rejection('headers_too_large', `The request head may have at most ${HEAD_BYTES_MAX} bytes.`);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return tooSlow();
    // The client announced its last request and sent more: RFC 9112 section 9.6 has it passed over.
    case 'HPE_CLOSED_CONNECTION':
      return undefined;
    default:
      return new Rejection('malformed_request', 'What arrived is not an HTTP/1.1 request.');
  }
}

function tooSlow(): Rejection {
  return new Rejection('request_timeout', 'The request did not arrive in time.');
}

function connectRefused(): Rejection {
  return new Rejection('method_not_allowed', 'CONNECT is not supported here.', {
    details: { allow: FORWARDED_METHODS },
  });
}

function overloaded(): Rejection {
  return new Rejection('overloaded', 'As many connections as the gateway takes are open already.', {
    details: { retryAfterSeconds: 1 },
  });
}
