import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { answerClientError } from './client-error.ts';

/** Specification section 4, of the head of a request; its body may take its time. */
const LIMITS = {
  maxHeaderSize: 32 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 0,
  keepAliveTimeout: 72_000,
  connectionsCheckingInterval: 1_000,
} as const;
const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface ControlListenerOptions {
  readonly newRequestId: () => string;
  /** PEM. `clientCa`: clients must show a certificate that it signed. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string | undefined } | undefined;
}

/** The control plane's HTTP server without what it serves. Does not listen yet. */
export function createControlListener(
  listener: RequestListener,
  { newRequestId, tls }: ControlListenerOptions,
): Server {
  const server = tls === undefined ? createServer(LIMITS, listener) : withTls(tls, listener);
  return server.on('clientError', (error, socket) => answerClientError(error, socket as Socket, newRequestId()));
}

function withTls(tls: NonNullable<ControlListenerOptions['tls']>, listener: RequestListener): Server {
  const { cert, key, clientCa } = tls;
  const client = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  const options = { cert, key, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_TIMEOUT_MS } as const;
  return createTlsServer({ ...options, ...client, ...LIMITS }, listener);
}
