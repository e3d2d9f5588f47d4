import { Deadline, type DeadlineOwner } from './deadline.ts';
import type { Dispatch, ExchangeCall, ExchangeSink } from './exchange.ts';
import type { ResponseLimits, Timeouts } from './lane.ts';
import { isRedirect, judgeRedirect } from './redirect.ts';
import type { Exchange, OutgoingRequest, ResponseSink, Transport } from './transport.ts';
import { type FailureReport, type TimeBudget, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

/** What all attempts on one lane have in common. */
export interface AttemptGround {
  readonly transport: Transport;
  readonly timeouts: Timeouts;
  readonly limits: Pick<ResponseLimits, 'responseBytes' | 'streamBytes'>;
  /** Redirects under it pass, all others are refused. */
  readonly base: URL;
}

/** The innermost dispatch: one attempt within the budgets and limits of its lane. */
export function attempts(ground: AttemptGround): Dispatch {
  return (call, sink, attempt, startedMs) => {
    const exchange = new BudgetedAttempt(ground, call, sink, attempt);
    exchange.start(startedMs);
    return exchange;
  };
}

type Phase = 'connecting' | 'sending' | 'waiting' | 'body' | 'stream' | 'over';

/**
 * Phases: connecting (`connectMs`), sending (`totalMs` alone), waiting for the head (`firstByteMs`), then the body of an
 * ordinary answer (`totalMs`) or of a stream (`idleMs`, `streamMs`), then over. An answer may begin while the request is still
 * being sent. Each change of phase only moves the one deadline.
 */
class BudgetedAttempt implements ResponseSink, Exchange, DeadlineOwner {
  readonly #ground: AttemptGround;
  readonly #call: ExchangeCall;
  readonly #sink: ExchangeSink;
  readonly #attempt: number;
  readonly #deadline = new Deadline(this);
  #exchange: Exchange | undefined;
  #phase: Phase = 'connecting';
  #startedAt = 0;
  #hasStarted = false;
  #connectAt = 0;
  #firstByteAt = 0;
  #totalAt = 0;
  #streamAt = 0;
  #lastDataAt = 0;
  #isPaused = false;
  #bytesLeft = 0;

  constructor(ground: AttemptGround, call: ExchangeCall, sink: ExchangeSink, attempt: number) {
    this.#ground = ground;
    this.#call = call;
    this.#sink = sink;
    this.#attempt = attempt;
  }

  /** `callStartedMs`: when the call's first attempt began, of `performance.now`. */
  start(callStartedMs: number): void {
    const { timeouts, transport } = this.#ground;
    const now = this.#attempt === 1 ? callStartedMs : performance.now();
    this.#startedAt = now;
    this.#connectAt = now + timeouts.connectMs;
    this.#totalAt = callStartedMs + timeouts.totalMs;
    this.#deadline.set(Math.min(this.#connectAt, this.#totalAt), now);
    this.#exchange = transport.send(this.#call.target, this.#call.request, this);
  }

  resume(): void {
    if (!this.#isPaused || this.#phase === 'over') return;
    this.#isPaused = false;
    if (this.#phase === 'stream') this.#awaitData();
    this.#exchange?.resume();
  }

  abort(): void {
    if (this.#phase === 'over') return;
    this.#end();
    this.#exchange?.abort();
  }

  onStart(): void {
    this.#hasStarted = true;
    this.#phase = 'sending';
  }

  onSent(): void {
    if (this.#phase !== 'sending') return;
    const now = performance.now();
    this.#phase = 'waiting';
    this.#firstByteAt = now + this.#ground.timeouts.firstByteMs;
    this.#deadline.set(Math.min(this.#firstByteAt, this.#totalAt), now);
  }

  onHead(status: number, headers: string[]): void {
    let contentLength: string | undefined;
    let contentType = '';
    let coding: string | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      if (name.length === 14 && name.toLowerCase() === 'content-length') contentLength = headers[i + 1];
      else if (name.length === 12 && name.toLowerCase() === 'content-type') contentType = headers[i + 1] as string;
      else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding')
        coding = coding === undefined ? headers[i + 1] : `${coding}, ${headers[i + 1]}`;
    }
    const { limits } = this.#ground;
    const isLasting = STREAM_TYPE.test(contentType);
    this.#bytesLeft = isLasting ? limits.streamBytes : limits.responseBytes;
    if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
      this.#fail('upstream_reset', 'the response has a transfer coding besides chunked');
    } else if (headers.length > FIELDS_MAX * 2) {
      this.#fail('response_too_large', `the response head has more than ${FIELDS_MAX} fields`);
    } else if (contentLength !== undefined && this.#hasBody(status) && !(Number(contentLength) <= this.#bytesLeft)) {
      this.#fail('response_too_large', `the response announces ${contentLength} bytes of at most ${this.#bytesLeft}`);
    } else if (isRedirect(status) && !this.#rewriteLocation(headers)) {
      this.#fail('redirect_refused', 'the response redirects outside the base URL');
    } else {
      this.#enterBody(isLasting);
      if (this.#call.onAttempt !== undefined) this.#report(status, undefined);
      this.#sink.onHead(status, headers, isLasting);
    }
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#phase === 'over') return true;
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft < 0) {
      this.#fail('response_too_large', 'the response body is longer than its limit');
      return true;
    }
    if (this.#phase === 'stream') this.#lastDataAt = performance.now();
    if (this.#sink.onData(chunk)) return true;
    this.#isPaused = true;
    return false;
  }

  onEnd(trailers: string[]): void {
    if (this.#phase === 'over') return;
    this.#end();
    this.#sink.onEnd(trailers);
  }

  onFailure(report: FailureReport): void {
    if (this.#phase === 'over') return;
    const headPassed = this.#isHeadPassed();
    // The dialler has the same budget and may be the first to notice.
    const isConnectTimeout = this.#phase === 'connecting' && report.code === 'upstream_timeout';
    this.#end();
    this.#tell(new UpstreamFailure({ ...report, headPassed, budget: isConnectTimeout ? 'connectMs' : undefined }));
  }

  onDeadline(nowMs: number): void {
    const budget = this.#spentBudget(nowMs + 1);
    if (budget === undefined) this.#deadline.set(this.#nextDeadline(), nowMs);
    else this.#fail('upstream_timeout', `${budget} of ${this.#ground.timeouts[budget]} ms is spent`, budget);
  }

  #spentBudget(nowMs: number): TimeBudget | undefined {
    switch (this.#phase) {
      case 'connecting':
        if (nowMs >= this.#connectAt) return 'connectMs';
        break;
      case 'waiting':
        if (nowMs >= this.#firstByteAt) return 'firstByteMs';
        break;
      case 'stream':
        if (nowMs >= this.#streamAt) return 'streamMs';
        return !this.#isPaused && nowMs >= this.#lastDataAt + this.#ground.timeouts.idleMs ? 'idleMs' : undefined;
      case 'sending':
      case 'body':
        break;
      case 'over':
        return undefined;
    }
    return nowMs >= this.#totalAt ? 'totalMs' : undefined;
  }

  #nextDeadline(): number {
    switch (this.#phase) {
      case 'connecting':
        return Math.min(this.#connectAt, this.#totalAt);
      case 'waiting':
        return Math.min(this.#firstByteAt, this.#totalAt);
      case 'stream':
        return this.#isPaused
          ? this.#streamAt
          : Math.min(this.#streamAt, this.#lastDataAt + this.#ground.timeouts.idleMs);
      case 'sending':
      case 'body':
      case 'over':
        return this.#totalAt;
    }
  }

  #enterBody(isLasting: boolean): void {
    if (!isLasting) {
      this.#phase = 'body';
      this.#deadline.move(this.#totalAt);
      return;
    }
    this.#phase = 'stream';
    this.#streamAt = performance.now() + this.#ground.timeouts.streamMs;
    this.#awaitData();
  }

  /** The silence that `idleMs` bounds begins now. */
  #awaitData(): void {
    const now = performance.now();
    this.#lastDataAt = now;
    this.#deadline.set(this.#nextDeadline(), now);
  }

  /** Answers to HEAD and with these statuses have no body, whatever their `content-length` says (RFC 9110 section 6.4.1). */
  #hasBody(status: number): boolean {
    return status !== 204 && status !== 304 && this.#call.request.method !== 'HEAD';
  }

  /** False when the redirect must be refused: it leads elsewhere, or names more than one place. */
  #rewriteLocation(headers: string[]): boolean {
    let place = -1;
    for (let i = 0; i < headers.length; i += 2) {
      if ((headers[i] as string).toLowerCase() !== 'location') continue;
      if (place >= 0) return false;
      place = i + 1;
    }
    if (place < 0) return true;
    const { target, request, redirectPrefix } = this.#call;
    const host = target.host.includes(':') ? `[${target.host}]` : target.host;
    // Without its query, which a reference like `#x` would inherit: a credential may be in it.
    const [path] = request.pathAndQuery.split('?', 1);
    const requestUrl = `${target.scheme}://${host}:${target.port}${path}`;
    const location = judgeRedirect(headers[place] as string, {
      requestUrl,
      base: this.#ground.base,
      prefix: redirectPrefix,
    });
    if (location === undefined) return false;
    headers[place] = location;
    return true;
  }

  #isHeadPassed(): boolean {
    return this.#phase === 'body' || this.#phase === 'stream';
  }

  #fail(code: UpstreamErrorCode, detail: string, budget?: TimeBudget): void {
    const headPassed = this.#isHeadPassed();
    const sentBytes = this.#hasStarted ? 'some' : 'none';
    // A stream that is still being sent may be as slow as whoever makes it.
    const fault = this.#phase === 'sending' && isStream(this.#call.request.body) ? 'caller' : 'upstream';
    this.#end();
    this.#exchange?.abort();
    this.#tell(new UpstreamFailure({ code, detail, budget, sentBytes, headPassed, fault }));
  }

  #tell(failure: UpstreamFailure): void {
    if (!failure.headPassed && this.#call.onAttempt !== undefined) this.#report(undefined, failure);
    this.#sink.onFailure(failure);
  }

  #report(status: number | undefined, failure: UpstreamFailure | undefined): void {
    this.#call.onAttempt?.({
      attempt: this.#attempt,
      latencyMs: performance.now() - this.#startedAt,
      status,
      code: failure?.code,
      timeout: failure?.budget,
      diagnostic: failure?.message,
    });
  }

  #end(): void {
    this.#phase = 'over';
    this.#deadline.clear();
  }
}

function isStream(body: OutgoingRequest['body']): boolean {
  return typeof body === 'object' && !(body instanceof Uint8Array);
}

/** The types whose bodies last: server-sent events and newline-delimited JSON. */
const STREAM_TYPE = /^\s*(?:text\/event-stream|application\/x-ndjson)\s*(?:;|$)/i;

/** Far above what an upstream sends; tiny fields cost memory beyond their bytes. */
const FIELDS_MAX = 256;
