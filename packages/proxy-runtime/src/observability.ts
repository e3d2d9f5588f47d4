import type { AttemptReport } from './exchange.ts';
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
  /** Once for each attempt, when its head or its failure is there; and once for a call that was refused without any. */
  readonly onAttempt?: ((record: AttemptRecord) => void) | undefined;
  /** For `postern_upstream_errors_total{class}`: each failed attempt, each refused call, and each answer that broke off after its head. */
  readonly onError?: ((errorClass: UpstreamErrorCode, upstream: string) => void) | undefined;
  /** For `postern_upstream_saturation`: running calls as a share of the limit, 0..1, before each call. */
  readonly onSaturation?: ((share: number, upstream: string) => void) | undefined;
}

/** A handler that does what the given one does and tells `observer` about it. Without `observer.onAttempt` records go to stderr as JSON lines. */
export function withProxyObservability(handler: ProxyHandler, observer: ProxyObserver = {}): ProxyHandler {
  const onAttempt = observer.onAttempt ?? writeLine;
  return async (ctx, upstream, request) => {
    const { name } = upstream.settings;
    observer.onSaturation?.(upstream.lane.inFlight / upstream.lane.limits.concurrency, name);
    const startedAt = performance.now();
    let last: AttemptReport | undefined;
    const tell = (report: AttemptReport) => {
      last = report;
      if (report.code !== undefined) observer.onError?.(report.code, name);
      const { attempt, latencyMs, status, code, timeout, diagnostic } = report;
      const own = { upstream: name, requestId: ctx.requestId, method: request.method, attempt, retries: attempt - 1 };
      onAttempt({ ...own, latencyMs, status, code, timeout, diagnostic });
      ctx.onAttempt?.(report);
    };
    const latencyMs = () => performance.now() - startedAt;
    try {
      const answer = await handler({ ...ctx, onAttempt: tell }, upstream, request);
      // A handler that is not `proxyRequest` may tell of no attempt.
      if (last === undefined) tell(answerReport(answer, latencyMs()));
      return { ...answer, body: watchBody(answer, (code) => observer.onError?.(code, name)) };
    } catch (error) {
      // What kept the call from another attempt has not been told of.
      if (error instanceof UpstreamFailure && last?.code !== error.code) tell(failureReport(error, last, latencyMs()));
      throw error;
    }
  };
}

function answerReport({ attempts, status }: ProxyAnswer, latencyMs: number): AttemptReport {
  return { attempt: attempts, latencyMs, status, code: undefined, timeout: undefined, diagnostic: undefined };
}

function failureReport(failure: UpstreamFailure, last: AttemptReport | undefined, latencyMs: number): AttemptReport {
  const { code, budget: timeout, message: diagnostic } = failure;
  return { attempt: (last?.attempt ?? 0) + 1, latencyMs, status: undefined, code, timeout, diagnostic };
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
