import type { AttemptReport } from '@postern/proxy-runtime';
import type { ClientExchange } from './client-exchange.ts';
import { spanIdOf, type TracePlace, traceIdOf, writeTraceparent } from './trace-context.ts';
import type { WideEvent } from './wide-event.ts';

/** An attempt at the upstream, and when it had its head or its failure, in milliseconds of the monotonic clock. */
export interface TracedAttempt {
  readonly report: AttemptReport;
  readonly endedMs: number;
}

/** What a trace needs of a call beside its wide event. There is none while nobody asks for traces. */
export interface CallTrace {
  traceId: string;
  /** The span of the request to us, which the span of the upstream call lies in. */
  readonly spanId: string;
  /** The caller's span; undefined when the trace begins here. */
  parentSpanId: string | undefined;
  flags: number;
  /** When the call was given to its lane, in milliseconds of the monotonic clock. */
  sentMs: number | undefined;
  readonly attempts: TracedAttempt[];
}

/** Where traces go. Neither function throws or waits. */
export interface CallTracing {
  /** At the head of a request: decides whether its trace is recorded. */
  begin(event: WideEvent, client: ClientExchange): CallTrace;
  /** The call is part of another trace than its request was: a document may say so. */
  move(trace: CallTrace, place: TracePlace): void;
  /** At the end of a call, answered or not. */
  end(event: WideEvent, client: ClientExchange, latencyMs: number): void;
}

/** Continues the caller's trace, else begins one. Its span is the one of the call to the upstream. */
export function outgoingTraceparent(event: WideEvent, given: TracePlace | undefined): string {
  const { requestId, trace } = event;
  const spanId = spanIdOf(requestId);
  if (trace !== undefined) return writeTraceparent({ traceId: trace.traceId, spanId, flags: trace.flags });
  if (given !== undefined) return writeTraceparent({ traceId: given.traceId, spanId, flags: given.flags });
  return writeTraceparent({ traceId: traceIdOf(requestId), spanId, flags: 0 });
}
