import { mapUpstreamError } from './map-upstream-error.ts';
import type { ProxyAnswer, ProxyHandler } from './proxy-request.ts';
import { type TimeBudget, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

/** One try at an upstream. Holds neither path nor headers nor bodies. */
export interface AttemptRecord {
  readonly upstream: string;
  readonly requestId?: string | undefined;
  readonly method: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Tries before this one. */
  readonly retries: number;
  /** Milliseconds until the head, or until the failure. */
  readonly latencyMs: number;
  /** Of the upstream's answer; absent when there was none. */
  readonly status?: number | undefined;
  /** Absent when the head came. */
  readonly code?: UpstreamErrorCode | undefined;
  /** The budget that was spent, when one was. */
  readonly timeout?: TimeBudget | undefined;
  /** Why it failed, in words for the operator; never for the caller. */
  readonly diagnostic?: string | undefined;
}

/** Where the observations go; each member may be absent. They must not throw. */
export interface ProxyObserver {
  /** Once for each attempt, when its head or its failure is there. */
  readonly onAttempt?: ((record: AttemptRecord) => void) | undefined;
  /** For `postern_upstream_errors_total{class}`: each failure, also one after the head. */
  readonly onError?: ((errorClass: UpstreamErrorCode, upstream: string) => void) | undefined;
  /** For `postern_upstream_saturation`: running calls as a share of the limit, 0..1, before each call. */
  readonly onSaturation?: ((share: number, upstream: string) => void) | undefined;
  /** Milliseconds of a monotonic clock; default `performance.now`. */
  readonly nowMs?: (() => number) | undefined;
}

/** A handler that does what the given one does and tells `observer` about it. Without `observer.onAttempt` records go to stderr as JSON lines. */
export function withProxyObservability(handler: ProxyHandler, observer: ProxyObserver = {}): ProxyHandler {
  const nowMs = observer.nowMs ?? (() => performance.now());
  const onAttempt = observer.onAttempt ?? writeLine;
  return async (ctx, upstream, request) => {
    const { name } = upstream.settings;
    observer.onSaturation?.(upstream.lane.inFlight / upstream.lane.limits.concurrency, name);
    const startedAt = nowMs();
    const attempt = { upstream: name, requestId: ctx.requestId, method: request.method, attempt: 1, retries: 0 };
    try {
      const answer = await handler(ctx, upstream, request);
      onAttempt({ ...attempt, latencyMs: nowMs() - startedAt, status: answer.status });
      return { ...answer, body: watchBody(answer, (code) => observer.onError?.(code, name)) };
    } catch (error) {
      if (error instanceof UpstreamFailure) {
        const { code } = mapUpstreamError(error);
        observer.onError?.(code, name);
        onAttempt({
          ...attempt,
          latencyMs: nowMs() - startedAt,
          code,
          timeout: error.budget,
          diagnostic: error.message,
        });
      }
      throw error;
    }
  };
}

async function* watchBody(answer: ProxyAnswer, onError: (code: UpstreamErrorCode) => void): AsyncGenerator<Uint8Array> {
  try {
    yield* answer.body;
  } catch (error) {
    if (error instanceof UpstreamFailure) onError(error.code);
    throw error;
  }
}

function writeLine(record: AttemptRecord): void {
  process.stderr.write(`${JSON.stringify(record)}\n`);
}
