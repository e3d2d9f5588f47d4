import type { Transport } from './transport.ts';

/** Budgets of one call in milliseconds. */
export interface Timeouts {
  /** From the beginning until the connection is up. */
  readonly connectMs: number;
  /** From the last byte of the request until the response head is complete. */
  readonly firstByteMs: number;
  /** From the beginning until the last byte of an ordinary response; for a stream until its head. */
  readonly totalMs: number;
  /** The longest silence within a stream. A pause that the reader asked for is none. */
  readonly idleMs: number;
  /** From the head of a stream until its last byte. */
  readonly streamMs: number;
}

export interface ResponseLimits {
  /** Body bytes of an ordinary response, as they come on the wire, without chunk framing. */
  readonly responseBytes: number;
  /** The same for a stream. */
  readonly streamBytes: number;
  /** Calls at one time; one more fails at once with `upstream_saturated`. */
  readonly concurrency: number;
}

export interface LaneOptions {
  readonly transport: Transport;
  readonly timeouts: Timeouts;
  readonly limits: ResponseLimits;
  /** Absolute http or https URL. Redirects under it pass, all others are refused. */
  readonly baseUrl: string;
}

/** One integration's way out: its contract with the upstream, and the number of calls now on it. Made once per integration. */
export interface UpstreamLane {
  readonly transport: Transport;
  readonly timeouts: Timeouts;
  readonly limits: ResponseLimits;
  readonly base: URL;
  /** Calls now running; kept by `startExchange`. With `limits.concurrency` it gives the saturation. */
  inFlight: number;
}

/** Throws `TypeError` when `baseUrl` is no absolute http or https URL. */
export function createLane(options: LaneOptions): UpstreamLane {
  const base = new URL(options.baseUrl);
  if (base.protocol !== 'https:' && base.protocol !== 'http:')
    throw new TypeError('baseUrl must be an http or https URL');
  const { transport, timeouts, limits } = options;
  return { transport, timeouts, limits, base, inFlight: 0 };
}
