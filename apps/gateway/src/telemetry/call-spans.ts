import { type Attributes, type HrTime, SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace';
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_METHOD_ORIGINAL,
  ATTR_HTTP_REQUEST_RESEND_COUNT,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PEER_ADDRESS,
  ATTR_NETWORK_PEER_PORT,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
} from '@opentelemetry/semantic-conventions';
import { type CallTrace, spanIdOf, type WideEvent } from '@postern/gateway';

/** What every span of this process has alike. */
export interface SpanOrigin {
  readonly resource: Resource;
  readonly instrumentationScope: ReadableSpan['instrumentationScope'];
}

/** What the wide event does not know of the request to us. */
export interface ServedRequest {
  readonly method: string;
  /** As received, without its query; undefined when it may hold what no trace may. */
  readonly path: string | undefined;
  readonly httpVersion: string;
  readonly peerAddress: string | undefined;
  /** Of the answer that was sent; undefined when none was. */
  readonly status: number | undefined;
  /** Where we are reached. */
  readonly publicUrl: string;
}

/**
 * The spans of a call, as the HTTP semantic conventions have them: the request to us, and in it the call to the upstream, if one
 * was made. Its attempts are events of it. Nothing in them is a secret, a query string or a body.
 */
export function callSpans(
  origin: SpanOrigin,
  event: WideEvent,
  request: ServedRequest,
  latencyMs: number,
): ReadableSpan[] {
  const { trace } = event;
  if (trace === undefined) return [];
  const end = event.receivedAt + latencyMs;
  const spans = [span(origin, trace, { ...serverSpan(event, request), begin: event.receivedAt, end })];
  if (trace.sentMs !== undefined && wasTried(event, trace)) {
    const begin = event.receivedAt + trace.sentMs - event.startedMs;
    spans.push(span(origin, trace, { ...clientSpan(event, trace), begin, end }));
  }
  return spans;
}

/** A breaker or a full lane refuses before anything is sent. */
function wasTried(event: WideEvent, { attempts }: CallTrace): boolean {
  return attempts.length > 0 || event.code === 'client_gone';
}

interface SpanParts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: string;
  readonly parent: { readonly spanId: string; readonly isRemote: boolean } | undefined;
  readonly attributes: Attributes;
  readonly events: TimedEvent[];
  readonly status: SpanStatus;
}

function span(
  { resource, instrumentationScope }: SpanOrigin,
  { traceId, flags }: CallTrace,
  { spanId, parent, begin, end, ...parts }: SpanParts & { readonly begin: number; readonly end: number },
): ReadableSpan {
  const context = { traceId, spanId, traceFlags: flags };
  return {
    ...parts,
    attributes: known(parts.attributes),
    spanContext: () => context,
    ...(parent === undefined ? {} : { parentSpanContext: { traceId, traceFlags: flags, ...parent } }),
    startTime: hrTime(begin),
    endTime: hrTime(end),
    duration: hrTime(end - begin),
    ended: true,
    links: [],
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Without those that have no value. */
function known(attributes: Attributes): Attributes {
  const list: Attributes = {};
  for (const name in attributes) if (attributes[name] !== undefined) list[name] = attributes[name];
  return list;
}

function serverSpan(event: WideEvent, request: ServedRequest): SpanParts {
  const trace = event.trace as CallTrace;
  const route = routeOf(request.path, event.integration);
  // Not known yet for a request of the first millisecond.
  const here = URL.parse(request.publicUrl);
  const errorType =
    event.code ?? (request.status !== undefined && request.status >= 500 ? String(request.status) : undefined);
  return {
    name: spanName(request.method, route),
    kind: SpanKind.SERVER,
    spanId: trace.spanId,
    parent: trace.parentSpanId === undefined ? undefined : { spanId: trace.parentSpanId, isRemote: true },
    attributes: {
      ...methodAttributes(request.method),
      [ATTR_URL_SCHEME]: here?.protocol.slice(0, -1),
      [ATTR_URL_PATH]: request.path,
      [ATTR_HTTP_ROUTE]: route,
      [ATTR_SERVER_ADDRESS]: here?.hostname,
      [ATTR_SERVER_PORT]: portOf(here),
      [ATTR_CLIENT_ADDRESS]: event.clientAddress,
      [ATTR_NETWORK_PEER_ADDRESS]: request.peerAddress,
      [ATTR_NETWORK_PROTOCOL_VERSION]: request.httpVersion,
      [ATTR_HTTP_RESPONSE_STATUS_CODE]: request.status,
      [ATTR_ERROR_TYPE]: errorType,
      ...callAttributes(event),
    },
    events: [],
    // A refusal is the caller's doing; what the caller cannot mend is ours.
    status: request.status !== undefined && request.status >= 500 ? FAILED : UNSET,
  };
}

function clientSpan(event: WideEvent, trace: CallTrace): SpanParts {
  const url = URL.parse(event.url ?? '');
  const last = trace.attempts.at(-1)?.report;
  const errorType = event.code ?? (last?.status !== undefined && last.status >= 400 ? String(last.status) : undefined);
  return {
    name: spanName(event.method ?? '', undefined),
    kind: SpanKind.CLIENT,
    spanId: spanIdOf(event.requestId),
    parent: { spanId: trace.spanId, isRemote: false },
    attributes: {
      ...methodAttributes(event.method ?? ''),
      [ATTR_URL_FULL]: event.url,
      [ATTR_URL_SCHEME]: url?.protocol.slice(0, -1),
      [ATTR_SERVER_ADDRESS]: url?.hostname,
      [ATTR_SERVER_PORT]: portOf(url),
      [ATTR_NETWORK_PEER_ADDRESS]: event.address,
      [ATTR_NETWORK_PEER_PORT]: portOf(url),
      [ATTR_NETWORK_PROTOCOL_VERSION]: '1.1',
      [ATTR_HTTP_RESPONSE_STATUS_CODE]: last?.status,
      [ATTR_HTTP_REQUEST_RESEND_COUNT]: trace.attempts.length > 1 ? trace.attempts.length - 1 : undefined,
      [ATTR_ERROR_TYPE]: errorType,
      ...callAttributes(event),
    },
    events: trace.attempts.length > 1 ? attemptEvents(event, trace) : [],
    status: errorType === undefined ? UNSET : FAILED,
  };
}

function attemptEvents(event: WideEvent, { attempts }: CallTrace): TimedEvent[] {
  return attempts.map(({ report, endedMs }) => ({
    name: 'postern.attempt',
    time: hrTime(event.receivedAt + endedMs - event.startedMs),
    attributes: known({
      'postern.attempt.number': report.attempt,
      'postern.attempt.latency_ms': Math.round(report.latencyMs * 100) / 100,
      [ATTR_HTTP_RESPONSE_STATUS_CODE]: report.status,
      [ATTR_ERROR_TYPE]: report.code,
    }),
  }));
}

function callAttributes(event: WideEvent): Attributes {
  return {
    'postern.request_id': event.requestId,
    'postern.tenant': event.tenant,
    'postern.agent': event.agent,
    'postern.integration': event.integration,
    'postern.action': event.action,
    'postern.decision': event.decision,
    'postern.rule': event.rule,
  };
}

/** The gateway's own paths. */
export const OWN_ROUTES: ReadonlySet<string> = new Set([
  '/v1/execute',
  '/v1/explain',
  '/v1/whoami',
  '/v1/integrations',
  '/healthz',
  '/readyz',
]);

/** What all paths of one kind have in common; undefined where the whole path is the upstream's. */
function routeOf(path: string | undefined, integration: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (path.startsWith(`/to/${integration}/`)) return '/to/{integration}/{path}';
  return OWN_ROUTES.has(path) ? path : undefined;
}

const KNOWN_METHODS = new Set('CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE'.split(' '));

/** No more kinds of spans than there are methods: a client may invent any. */
function spanName(method: string, route: string | undefined): string {
  const verb = KNOWN_METHODS.has(method) ? method : 'HTTP';
  return route === undefined ? verb : `${verb} ${route}`;
}

function methodAttributes(method: string): Attributes {
  if (KNOWN_METHODS.has(method)) return { [ATTR_HTTP_REQUEST_METHOD]: method };
  return { [ATTR_HTTP_REQUEST_METHOD]: '_OTHER', [ATTR_HTTP_REQUEST_METHOD_ORIGINAL]: method };
}

function portOf(url: URL | null): number | undefined {
  if (url === null) return undefined;
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

const UNSET: SpanStatus = { code: SpanStatusCode.UNSET };
const FAILED: SpanStatus = { code: SpanStatusCode.ERROR };

/** Seconds and nanoseconds of a time in milliseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}
