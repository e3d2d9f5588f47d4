import type { UpstreamLane } from './lane.ts';
import type { Exchange, OutgoingRequest, PinnedTarget } from './transport.ts';
import type { TimeBudget, UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

/**
 * Sends one call within the lane's budgets and limits, again where `may-repeat.ts` allows it. Never throws and never calls the
 * sink before it has returned. After `abort` (the client has left) the sink hears nothing more.
 */
export function startExchange(lane: UpstreamLane, call: ExchangeCall, sink: ExchangeSink): Exchange {
  return lane.dispatch(call, sink, 1, performance.now());
}

/**
 * How a call is sent. Each mechanism (places, retries, breaker) wraps the dispatch that it passes calls on to; the innermost one
 * makes an attempt. `attempt` counts from 1; `startedMs`: when the call began, of `performance.now`. The laws of `startExchange`
 * hold for each.
 */
export type Dispatch = (call: ExchangeCall, sink: ExchangeSink, attempt: number, startedMs: number) => Exchange;

/** One call through a lane. */
export interface ExchangeCall {
  readonly target: PinnedTarget;
  readonly request: OutgoingRequest;
  /** What replaces the base URL in a passed redirect, e.g. `http://gateway/to/github`; absent: the `Location` stays absolute. */
  readonly redirectPrefix?: string | undefined;
  /** The upstream is declared to honour keys and this call carries one: only so an unsafe method is repeatable. Default false. */
  readonly honoursKeys?: boolean | undefined;
  /** Told of each attempt, when its head or its failure before one is there. Must not throw. */
  readonly onAttempt?: ((report: AttemptReport) => void) | undefined;
  /** Told of each further attempt when it begins; `failed`: why the one before failed, undefined when it was answered. */
  readonly onRetry?: ((attempt: number, failed: UpstreamErrorCode | undefined) => void) | undefined;
}

/** How one attempt went. Holds neither path nor headers nor bodies. */
export interface AttemptReport {
  /** Counts from 1. */
  readonly attempt: number;
  /** Milliseconds until the head, or until the failure. */
  readonly latencyMs: number;
  /** Of the upstream's answer; undefined when there was none that may be passed on. */
  readonly status: number | undefined;
  /** undefined when the head came. */
  readonly code: UpstreamErrorCode | undefined;
  /** The budget that was spent, when one was. */
  readonly timeout: TimeBudget | undefined;
  /** Why it failed, in words for the operator; never for the caller. */
  readonly diagnostic: string | undefined;
}

/** What the caller hears of an answer: one `onHead`, any `onData`, then `onEnd` or `onFailure`. Must not throw. */
export interface ExchangeSink {
  /** `headers`: flat pairs, not yet filtered, `Location` rewritten. `isStream`: `totalMs` is over and the stream's budgets hold. */
  onHead(status: number, headers: string[], isStream: boolean): void;
  /** False pauses the upstream until `Exchange.resume`; the chunk given is taken all the same. */
  onData(chunk: Uint8Array): boolean;
  /** `trailers`: flat pairs, not yet filtered. */
  onEnd(trailers: string[]): void;
  onFailure(failure: UpstreamFailure): void;
}
