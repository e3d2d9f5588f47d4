import { attempts } from './attempt.ts';
import { type BreakerSettings, type BreakerState, CircuitBreaker } from './breaker.ts';
import type { Dispatch } from './exchange.ts';
import { compileLimitSignals, type LimitSignal } from './limit-signals.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Transport } from './transport.ts';
import { withBreaker } from './with-breaker.ts';
import { type Places, withPlaces } from './with-places.ts';
import { type RetrySettings, withRetries } from './with-retries.ts';

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
  /** Absent: each call has one attempt. */
  readonly retry?: RetrySettings | undefined;
  /** The provider's own ways to say what 429 with `Retry-After` says. Absent: it has none. */
  readonly limitSignals?: readonly LimitSignal[] | undefined;
  /** Absent: nothing is kept from an upstream that fails. */
  readonly breaker?: BreakerSettings | undefined;
  /**
   * The lane that this one replaces, for the same upstream with the same credential: its breaker (when `breaker` is as before),
   * its retry budget and the places its calls hold are taken over.
   */
  readonly former?: UpstreamLane | undefined;
  /** Milliseconds that never go back, for the breaker; default `performance.now`. */
  readonly clock?: (() => number) | undefined;
  /** 0 up to 1, for the backoff; default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Milliseconds since the epoch, for a wait that is told as a time; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** One integration's way out: its contract with the upstream, and how that stands. Made once per integration. */
export interface UpstreamLane {
  readonly transport: Transport;
  readonly timeouts: Timeouts;
  readonly limits: ResponseLimits;
  readonly base: URL;
  /** Calls now running, those between two attempts among them. With `limits.concurrency` it gives the saturation. */
  readonly inFlight: number;
  /** `closed` also for a lane without a breaker. */
  readonly breakerState: BreakerState;
  /** For `startExchange`. */
  readonly dispatch: Dispatch;
  /** For the lane that comes after this one. */
  readonly standing: LaneStanding;
}

/** What outlives a change of the lane's numbers. */
interface LaneStanding {
  readonly places: Places;
  readonly breaker: CircuitBreaker | undefined;
  readonly retryBudget: RetryBudget;
}

/** Throws `TypeError` when `baseUrl` is no absolute http or https URL. */
export function createLane(options: LaneOptions): UpstreamLane {
  const base = new URL(options.baseUrl);
  if (base.protocol !== 'https:' && base.protocol !== 'http:')
    throw new TypeError('baseUrl must be an http or https URL');
  const { transport, timeouts, limits } = options;
  const standing: LaneStanding = {
    places: options.former?.standing.places ?? { inFlight: 0 },
    breaker: breakerOf(options),
    retryBudget: options.former?.standing.retryBudget ?? new RetryBudget(),
  };
  return {
    transport,
    timeouts,
    limits,
    base,
    get inFlight() {
      return standing.places.inFlight;
    },
    get breakerState() {
      return standing.breaker?.state ?? 'closed';
    },
    dispatch: compose(options, standing, base),
    standing,
  };
}

/** From the inside out: an attempt, the breaker that sees each, the retries that make more of them, the place of the whole call. */
function compose(options: LaneOptions, standing: LaneStanding, base: URL): Dispatch {
  const { transport, timeouts, limits, retry } = options;
  const { places, breaker, retryBudget: budget } = standing;
  let dispatch = attempts({ transport, timeouts, limits, base });
  if (breaker !== undefined) dispatch = withBreaker(dispatch, breaker);
  if (retry !== undefined && retry.attempts > 1) {
    dispatch = withRetries(dispatch, {
      settings: retry,
      budget,
      limitSignals: compileLimitSignals(options.limitSignals),
      totalMs: timeouts.totalMs,
      isRefusing: () => breaker?.isRefusing() ?? false,
      random: options.random ?? Math.random,
      now: options.now ?? Date.now,
    });
  }
  return withPlaces(dispatch, places, limits.concurrency);
}

function breakerOf({ breaker: settings, former, clock }: LaneOptions): CircuitBreaker | undefined {
  if (settings === undefined) return undefined;
  const known = former?.standing.breaker;
  const isSame =
    known?.settings.failures === settings.failures &&
    known.settings.windowMs === settings.windowMs &&
    known.settings.openMs === settings.openMs;
  return isSame ? known : new CircuitBreaker(settings, clock);
}
