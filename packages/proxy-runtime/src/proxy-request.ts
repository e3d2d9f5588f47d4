import { AnswerBody, type AnswerHead } from './answer-body.ts';
import { type AttemptReport, type ExchangeCall, startExchange } from './exchange.ts';
import { filterRequestHeaders, filterResponseHeaders } from './header-policy.ts';
import { ProxyRefusal } from './proxy-refusal.ts';
import { limitBody, type RequestBody } from './request-body.ts';
import { joinTargetPath, type Query } from './target-path.ts';
import type { OutgoingRequest } from './transport.ts';
import type { UpstreamClient } from './upstream-client.ts';
import { UpstreamFailure } from './upstream-failure.ts';

/** What belongs to the one call and not to the upstream. */
export interface ProxyContext {
  /** Sent as `X-Request-Id`, in place of a client's own. */
  readonly requestId?: string | undefined;
  /** The client has left: the exchange ends, and promise or body reject with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each attempt when its head or its failure is there. Must not throw. */
  readonly onAttempt?: ((report: AttemptReport) => void) | undefined;
}

export interface ProxyRequest {
  readonly method: string;
  /** Below the base URL, beginning with `/`. */
  readonly path: string;
  readonly query?: Query | undefined;
  /** Filtered by the header policy before they are sent. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly body?: RequestBody | undefined;
}

export interface ProxyAnswer {
  readonly status: number;
  /** Lower-case names, filtered; a repeated field is joined with `, ` (RFC 9110 section 5.3). */
  readonly headers: Record<string, string>;
  /** To be read once. Throws `UpstreamFailure` when the answer breaks off; leaving it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** How many tries it took: 1, or more when the first were refused or failed and might be repeated. */
  readonly attempts: number;
}

export type ProxyHandler = (ctx: ProxyContext, upstream: UpstreamClient, request: ProxyRequest) => Promise<ProxyAnswer>;

/**
 * Judges the target, sends the request to the judged address and resolves with the head; the body follows as it comes. What may
 * be sent again is tried again, within `retry` and `totalMs`; then any answer of the upstream is an answer, whatever its status. Throws `ProxyRefusal` when nothing was sent for a reason of the
 * request or the target, `UpstreamFailure` when the forward failed (`mapUpstreamError` gives its code and status).
 */
export async function proxyRequest(
  ctx: ProxyContext,
  upstream: UpstreamClient,
  request: ProxyRequest,
): Promise<ProxyAnswer> {
  ctx.signal?.throwIfAborted();
  const outgoing = outgoingRequest(ctx, upstream, request);
  const target = await upstream.pinTarget();
  ctx.signal?.throwIfAborted();
  const answer = new AnswerBody();
  let attempts = 1;
  const call: ExchangeCall = {
    target,
    request: outgoing,
    redirectPrefix: upstream.redirectPrefix,
    onAttempt: ctx.onAttempt,
    onRetry: (attempt) => {
      attempts = attempt;
    },
  };
  const exchange = startExchange(upstream.lane, call, answer);
  const onAbort = () => answer.cancel(ctx.signal?.reason);
  ctx.signal?.addEventListener('abort', onAbort);
  answer.attach(exchange, () => ctx.signal?.removeEventListener('abort', onAbort));
  const head = await answer.head.catch(rethrowRefusal);
  return { status: head.status, headers: joinFields(head, upstream), body: answer, attempts };
}

/** The request's own stream was over its limit: its refusal, not the failure that came of it. */
function rethrowRefusal(error: unknown): never {
  throw error instanceof UpstreamFailure && error.cause instanceof ProxyRefusal ? error.cause : error;
}

function outgoingRequest(ctx: ProxyContext, upstream: UpstreamClient, request: ProxyRequest): OutgoingRequest {
  const { base, limits } = upstream.settings;
  const replaced = ctx.requestId === undefined ? undefined : ['x-request-id'];
  const headers = ['host', base.host];
  headers.push(...filterRequestHeaders(flatten(request.headers ?? {}), upstream.headerPolicy, replaced));
  if (ctx.requestId !== undefined) headers.push('x-request-id', ctx.requestId);
  return {
    method: request.method,
    pathAndQuery: joinTargetPath(base, request.path, request.query),
    headers,
    body: limitBody(request.body, limits.requestBytes),
  };
}

function flatten(headers: Readonly<Record<string, string | readonly string[]>>): string[] {
  const pairs: string[] = [];
  for (const [name, values] of Object.entries(headers)) {
    for (const value of typeof values === 'string' ? [values] : values) pairs.push(name, value);
  }
  return pairs;
}

function joinFields(head: AnswerHead, upstream: UpstreamClient): Record<string, string> {
  const pairs = filterResponseHeaders(head.headers, upstream.headerPolicy);
  const fields = new Map<string, string>();
  for (let i = 0; i < pairs.length; i += 2) {
    const name = (pairs[i] as string).toLowerCase();
    const earlier = fields.get(name);
    const value = pairs[i + 1] as string;
    fields.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return Object.fromEntries(fields);
}
