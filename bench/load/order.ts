import type { ProcessTime } from '../measure-process.ts';

/** What the load generator is asked to do. */
export interface LoadOrder {
  readonly port: number;
  /** Path of the call. */
  readonly path: string;
  /** Bearer tokens that clients send, one a call, in turn. */
  readonly tokens: readonly string[];
  readonly idempotencyKey?: IdempotencyKey | undefined;
  readonly connections: number;
  readonly pace: Pace;
  /** Load before the window opens: connections open, pools fill. Nothing of it is counted. */
  readonly leadMs: number;
  /** How long is measured. */
  readonly windowMs: number;
  /** The process whose time is read when the window opens and closes. */
  readonly processId: number;
  /** Servers that work for it: their time is read too, and told apart. */
  readonly serverIds?: readonly number[] | undefined;
}

/**
 * `one`: every call has the key `text`. `fresh`: each has one of its own, which begins with it. `again`: the keys that orders for `fresh` ones
 * of this port and text have used, in their order, each once until there are no more of them.
 */
export interface IdempotencyKey {
  readonly text: string;
  readonly use: 'one' | 'fresh' | 'again';
}

/**
 * `closed`: each connection sends its next call when its answer is there; ends early after `callsMax`. `open`: a call is due at fixed times whatever the
 * answers do, and is measured from the time it was due.
 */
export type Pace =
  | { readonly kind: 'closed'; readonly callsMax?: number }
  | { readonly kind: 'open'; readonly callsPerSecond: number };

/** What happened within the window. */
export interface LoadReport {
  readonly calls: number;
  readonly seconds: number;
  /** Bucket counts of `histogram.ts`. */
  readonly latencies: readonly number[];
  /** Time used by the measured process within the window, in microseconds. */
  readonly time: ProcessTime;
  /** Time used by the servers that work for it. */
  readonly serversUs: number;
  /** Share of one core that the generator itself used. */
  readonly generatorBusy: number;
}
