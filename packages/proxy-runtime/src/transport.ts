import type { FailureReport } from './upstream-failure.ts';

/**
 * The narrow seam between the runtime and whatever moves the bytes. A transport knows connections and HTTP framing; budgets,
 * limits, redirects and header policy live above it (`exchange.ts`), judging of addresses lies before it. A faster transport
 * replaces `undici-transport.ts` without any other file noticing.
 */
export interface Transport {
  /**
   * Sends one request and reports its answer to `sink`. Never throws; before it has returned only `onStart` and `onSent` may be
   * called. After `onEnd`, `onFailure` or `Exchange.abort` the sink hears nothing more. Nothing is ever sent twice.
   */
  send(target: PinnedTarget, request: OutgoingRequest, sink: ResponseSink): Exchange;
  /**
   * Closes the connections of every pool whose key begins with `prefix`: idle ones at once, busy ones when their answer has
   * ended. To be called when a credential, a host list or an `unsafe…` setting changes. Returns how many pools were closed.
   */
  closePools(prefix: string): number;
  /** Refuses new exchanges, lets the running ones end, closes every connection; resolves when the last one is gone. */
  close(): Promise<void>;
  /** As `close`, but breaks the running exchanges off; their sinks hear `upstream_reset`. */
  destroy(): Promise<void>;
}

/** A target that the guard has judged: the connection goes to `address` and to no other, the name is for TLS and `Host`. */
export interface PinnedTarget {
  /** Made by `poolKey`. Connections are shared under an equal key, address and TLS identity, and under nothing less. */
  readonly poolKey: string;
  readonly scheme: 'http' | 'https';
  /** Name or IP literal (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
  /** The judged IP literal. When it differs from the pool's, the pool's connections are closed and a new pool begins. */
  readonly address: string;
  readonly tls?: TlsIdentity | undefined;
  /** When the dialler itself gives up; default 5,000. At least the lane's `connectMs`, which may end the wait sooner. */
  readonly connectTimeoutMs?: number | undefined;
}

export interface TlsIdentity {
  /** PEM certificates that replace the public roots for this upstream. */
  readonly ca?: string | undefined;
  /** Name for SNI and the certificate check; default: `host`. */
  readonly servername?: string | undefined;
  /** PEM certificate chain that this side shows, its own certificate first, and the PEM private key to it. Both or neither. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Bytes of a request body that are still arriving. One whose reading has begun is returned or destroyed when the exchange ends
 * early; one that was not begun is left to its owner. A server's `IncomingMessage` should be given as
 * `request.iterator({ destroyOnReturn: false })`, else an early end takes the client's connection with it. What it throws
 * fails the exchange with `upstream_reset` and the error as `cause`.
 */
export type BodyStream = AsyncIterable<Uint8Array>;

export interface OutgoingRequest {
  readonly method: string;
  /** Origin form, exactly as it goes on the wire. */
  readonly pathAndQuery: string;
  /** Flat name, value pairs, `host` among them; no framing fields (`content-length`, `transfer-encoding`, `connection`). */
  readonly headers: string[];
  /**
   * A `Uint8Array` is sent with its `content-length`, a stream chunked, unless `bodyBytes` tells its exact length. A function
   * gives the same stream anew at each call, so that the request can be sent again; it is called once for each attempt.
   */
  readonly body?: Uint8Array | BodyStream | (() => BodyStream) | undefined;
  readonly bodyBytes?: number | undefined;
}

/** What a transport tells about an answer, in this order: one `onHead`, any `onData`, then `onEnd` or `onFailure`. Must not throw. */
export interface ResponseSink {
  /** The connection is up and the request is being written: from here on bytes may have reached the upstream. */
  onStart(): void;
  /** The last byte of the request has been handed to the socket. May come after `onHead`. */
  onSent(): void;
  /** `headers`: flat name, value pairs, hop-by-hop fields still among them. Interim (1xx) heads never come here. */
  onHead(status: number, headers: string[]): void;
  /** False pauses the upstream until `Exchange.resume`; the chunk given is taken all the same. */
  onData(chunk: Uint8Array): boolean;
  /** The answer is complete as its framing says. `trailers`: flat pairs. */
  onEnd(trailers: string[]): void;
  onFailure(failure: FailureReport): void;
}

/** A running request. */
export interface Exchange {
  /** Lets a paused upstream go on. No effect when not paused or over. */
  resume(): void;
  /** Ends it at once and closes its connection; the sink hears nothing more. No effect when over. */
  abort(): void;
}

/** The parts under which connections are pooled, besides pinned address and TLS identity, which the transport compares itself. */
export interface PoolKeyParts {
  readonly tenant: string;
  readonly integration: string;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

/** To be computed once per integration and host. `poolPrefix` gives the prefix of all of an integration's keys. */
export function poolKey(parts: PoolKeyParts): string {
  return `${poolPrefix(parts.tenant, parts.integration)}${parts.scheme}://${parts.host}:${parts.port}`;
}

/** For `Transport.closePools`. The separator is no character of a name, so no prefix covers a neighbour. */
export function poolPrefix(tenant: string, integration: string): string {
  return `${tenant}\n${integration}\n`;
}
