import { ROOT_CONTEXT, SamplingDecision, SpanKind, trace as traceApi } from '@opentelemetry/api';
import { RandomIdGenerator, type ReadableSpan, type Sampler } from '@opentelemetry/sdk-trace';
import {
  type CallTrace,
  type CallTracing,
  readTraceparent,
  SAMPLED,
  type TracePlace,
  traceIdOf,
  type WideEvent,
} from '@postern/gateway';
import { callSpans, OWN_ROUTES, type SpanOrigin } from './call-spans.ts';

export interface CallTracingOptions {
  readonly sampler: Sampler;
  readonly origin: SpanOrigin;
  readonly publicUrl: () => string;
  /** Takes the spans of a call; must not throw. */
  readonly record: (span: ReadableSpan) => void;
}

interface RequestTrace extends CallTrace {
  /** The method before a document names another. */
  readonly method: string;
  readonly peerAddress: string | undefined;
}

/** Traces of calls: ids and sampling at the head of a request, spans at its end. A call that is not sampled makes none. */
export function createCallTracing({ sampler, origin, publicUrl, record }: CallTracingOptions): CallTracing {
  const ids = new RandomIdGenerator();

  function flagsOf(traceId: string, parent: TracePlace | undefined): number {
    const context =
      parent === undefined
        ? ROOT_CONTEXT
        : traceApi.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags: parent.flags & SAMPLED, isRemote: true });
    const { decision } = sampler.shouldSample(context, traceId, '', SpanKind.SERVER, {}, []);
    const others = (parent?.flags ?? 0) & ~SAMPLED;
    return decision === SamplingDecision.RECORD_AND_SAMPLED ? others | SAMPLED : others;
  }

  return {
    begin(event, { request }): RequestTrace {
      const parent = readTraceparent(request.rawHeaders);
      const traceId = parent?.traceId ?? traceIdOf(event.requestId);
      return {
        traceId,
        spanId: ids.generateSpanId(),
        parentSpanId: parent?.spanId,
        flags: flagsOf(traceId, parent),
        sentMs: undefined,
        attempts: [],
        method: request.method ?? '',
        peerAddress: request.socket.remoteAddress,
      };
    },
    move(trace, place) {
      trace.traceId = place.traceId;
      trace.parentSpanId = place.spanId;
      trace.flags = flagsOf(place.traceId, place);
    },
    end(event, { request, response }, latencyMs) {
      const trace = event.trace as RequestTrace;
      if ((trace.flags & SAMPLED) === 0 || isQuestion(event)) return;
      const served = {
        method: trace.method,
        path: pathOf(request.url ?? '', event),
        httpVersion: request.httpVersion,
        peerAddress: trace.peerAddress,
        status: response.headersSent ? response.statusCode : undefined,
        publicUrl: publicUrl(),
      };
      for (const span of callSpans(origin, event, served, latencyMs)) record(span);
    },
  };
}

/** A question to the gateway itself, answered: no call. As the metrics have it. */
function isQuestion(event: WideEvent): boolean {
  return event.integration === undefined && event.code === undefined;
}

/** Only once the URL has been found free of agent keys, which is before the event knows it. */
function pathOf(url: string, event: WideEvent): string | undefined {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  return event.url !== undefined || OWN_ROUTES.has(path) ? path : undefined;
}
