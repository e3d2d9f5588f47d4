import { Deadline, type DeadlineOwner } from './deadline.ts';
import type { UpstreamLane } from './lane.ts';
import { isRedirect, judgeRedirect } from './redirect.ts';
import type { Exchange, OutgoingRequest, PinnedTarget, ResponseSink } from './transport.ts';
import { type FailureReport, type TimeBudget, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

/** One call through a lane. */
export interface ExchangeCall {
  readonly target: PinnedTarget;
  readonly request: OutgoingRequest;
  /** What replaces the base URL in a passed redirect, e.g. `http://gateway/to/github`; absent: the `Location` stays absolute. */
  readonly redirectPrefix?: string | undefined;
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

/**
 * Sends one request within the lane's budgets and limits. Never throws and never calls the sink before it has returned. After
 * `abort` (the client has left) the sink hears nothing more.
 */
export function startExchange(lane: UpstreamLane, call: ExchangeCall, sink: ExchangeSink): Exchange {
  const exchange = new BudgetedExchange(lane, call, sink);
  if (lane.inFlight < lane.limits.concurrency) exchange.start();
  else process.nextTick(refuseSaturated, exchange);
  return exchange;
}

type Phase = 'fresh' | 'connecting' | 'sending' | 'waiting' | 'body' | 'stream' | 'over';

/**
 * Phases: fresh (holds no place in the lane yet), connecting (`connectMs`), sending (`totalMs` alone), waiting for the head (`firstByteMs`), then the body of an
 * ordinary answer (`totalMs`) or of a stream (`idleMs`, `streamMs`), then over. An answer may begin while the request is still
 * being sent. Each change of phase only moves the one deadline.
 */
class BudgetedExchange implements ResponseSink, Exchange, DeadlineOwner {
  readonly #lane: UpstreamLane;
  readonly #call: ExchangeCall;
  readonly #sink: ExchangeSink;
  readonly #deadline = new Deadline(this);
  #exchange: Exchange | undefined;
  #phase: Phase = 'fresh';
  #hasStarted = false;
  #connectAt = 0;
  #firstByteAt = 0;
  #totalAt = 0;
  #streamAt = 0;
  #lastDataAt = 0;
  #isPaused = false;
  #bytesLeft = 0;

  constructor(lane: UpstreamLane, call: ExchangeCall, sink: ExchangeSink) {
    this.#lane = lane;
    this.#call = call;
    this.#sink = sink;
  }

  start(): void {
    const { timeouts, transport } = this.#lane;
    const now = performance.now();
    this.#lane.inFlight += 1;
    this.#phase = 'connecting';
    this.#connectAt = now + timeouts.connectMs;
    this.#totalAt = now + timeouts.totalMs;
    this.#deadline.set(Math.min(this.#connectAt, this.#totalAt), now);
    this.#exchange = transport.send(this.#call.target, this.#call.request, this);
  }

  /** Fails an exchange that found no free place. */
  refuse(): void {
    if (this.#phase !== 'fresh') return;
    this.#phase = 'over';
    const detail = `${this.#lane.limits.concurrency} calls are running already`;
    this.#sink.onFailure(
      new UpstreamFailure({ code: 'upstream_saturated', detail, sentBytes: 'none', headPassed: false }),
    );
  }

  resume(): void {
    if (!this.#isPaused || this.#phase === 'over') return;
    this.#isPaused = false;
    if (this.#phase === 'stream') this.#awaitData();
    this.#exchange?.resume();
  }

  abort(): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'fresh') this.#phase = 'over';
    else this.#end();
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
    this.#firstByteAt = now + this.#lane.timeouts.firstByteMs;
    this.#deadline.set(Math.min(this.#firstByteAt, this.#totalAt), now);
  }

  onHead(status: number, headers: string[]): void {
    let contentLength: string | undefined;
    let contentType = '';
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      if (name.length === 14 && name.toLowerCase() === 'content-length') contentLength = headers[i + 1];
      else if (name.length === 12 && name.toLowerCase() === 'content-type') contentType = headers[i + 1] as string;
    }
    const { limits } = this.#lane;
    const isStream = STREAM_TYPE.test(contentType);
    this.#bytesLeft = isStream ? limits.streamBytes : limits.responseBytes;
    if (headers.length > FIELDS_MAX * 2) {
      this.#fail('response_too_large', `the response head has more than ${FIELDS_MAX} fields`);
    } else if (contentLength !== undefined && this.#hasBody(status) && !(Number(contentLength) <= this.#bytesLeft)) {
      this.#fail('response_too_large', `the response announces ${contentLength} bytes of at most ${this.#bytesLeft}`);
    } else if (isRedirect(status) && !this.#rewriteLocation(headers)) {
      this.#fail('redirect_refused', 'the response redirects outside the base URL');
    } else {
      this.#enterBody(isStream);
      this.#sink.onHead(status, headers, isStream);
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
    this.#sink.onFailure(
      new UpstreamFailure({ ...report, headPassed, budget: isConnectTimeout ? 'connectMs' : undefined }),
    );
  }

  onDeadline(nowMs: number): void {
    const budget = this.#spentBudget(nowMs + 1);
    if (budget === undefined) this.#deadline.set(this.#nextDeadline(), nowMs);
    else this.#fail('upstream_timeout', `${budget} of ${this.#lane.timeouts[budget]} ms is spent`, budget);
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
        return !this.#isPaused && nowMs >= this.#lastDataAt + this.#lane.timeouts.idleMs ? 'idleMs' : undefined;
      case 'sending':
      case 'body':
        break;
      case 'fresh':
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
          : Math.min(this.#streamAt, this.#lastDataAt + this.#lane.timeouts.idleMs);
      case 'sending':
      case 'body':
      case 'fresh':
      case 'over':
        return this.#totalAt;
    }
  }

  #enterBody(isStream: boolean): void {
    if (!isStream) {
      this.#phase = 'body';
      this.#deadline.move(this.#totalAt);
      return;
    }
    this.#phase = 'stream';
    this.#streamAt = performance.now() + this.#lane.timeouts.streamMs;
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
      base: this.#lane.base,
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
    this.#end();
    this.#exchange?.abort();
    this.#sink.onFailure(new UpstreamFailure({ code, detail, budget, sentBytes, headPassed }));
  }

  #end(): void {
    this.#phase = 'over';
    this.#deadline.clear();
    this.#lane.inFlight -= 1;
  }
}

/** The types whose bodies last: server-sent events and newline-delimited JSON. */
const STREAM_TYPE = /^\s*(?:text\/event-stream|application\/x-ndjson)\s*(?:;|$)/i;

/** Far above what an upstream sends; tiny fields cost memory beyond their bytes. */
const FIELDS_MAX = 256;

function refuseSaturated(exchange: BudgetedExchange): void {
  exchange.refuse();
}
