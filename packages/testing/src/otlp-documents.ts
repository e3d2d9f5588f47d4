import { gunzipSync } from 'node:zlib';
import { type Message, readMessage } from './protobuf-message.ts';

type Attributes = Readonly<Record<string, unknown>>;

export interface OtlpSpan {
  /** Lower-case hexadecimal. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'other';
  /** Nanoseconds since the epoch. */
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly timeNanos: bigint; readonly attributes: Attributes }[];
  readonly status: 'unset' | 'ok' | 'error';
  readonly flags: number;
  readonly resource: Attributes;
  readonly scope: string;
}

export interface OtlpMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'sum' | 'gauge' | 'histogram';
  readonly isMonotonic: boolean;
  readonly isCumulative: boolean;
  readonly points: readonly OtlpPoint[];
  readonly resource: Attributes;
}

export interface OtlpPoint {
  readonly attributes: Attributes;
  /** Of a sum or gauge. */
  readonly value: number | undefined;
  /** Of a histogram. */
  readonly count: bigint;
  readonly sum: number;
  readonly bucketCounts: readonly bigint[];
  readonly bounds: readonly number[];
}

/** What a body of `POST /v1/traces` holds. Field numbers: opentelemetry-proto, `trace/v1/trace.proto`. */
export function decodeOtlpSpans(body: Uint8Array): OtlpSpan[] {
  return readMessage(plain(body))
    .messages(1)
    .flatMap((resourceSpans) => {
      const resource = resourceOf(resourceSpans);
      return resourceSpans.messages(2).flatMap((scopeSpans) => {
        const scope = scopeSpans.message(1)?.text(1) ?? '';
        return scopeSpans.messages(2).map((span) => ({ ...spanOf(span), resource, scope }));
      });
    });
}

/** What a body of `POST /v1/metrics` holds. Field numbers: opentelemetry-proto, `metrics/v1/metrics.proto`. */
export function decodeOtlpMetrics(body: Uint8Array): OtlpMetric[] {
  return readMessage(plain(body))
    .messages(1)
    .flatMap((resourceMetrics) => {
      const resource = resourceOf(resourceMetrics);
      return resourceMetrics
        .messages(2)
        .flatMap((scopeMetrics) => scopeMetrics.messages(2).map((metric) => ({ ...metricOf(metric), resource })));
    });
}

function plain(body: Uint8Array): Uint8Array {
  return body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body;
}

function resourceOf(message: Message): Attributes {
  return attributesOf(message.message(1)?.messages(1) ?? []);
}

const KINDS = ['other', 'internal', 'server', 'client'] as const;
const STATUSES = ['unset', 'ok', 'error'] as const;

function spanOf(span: Message): Omit<OtlpSpan, 'resource' | 'scope'> {
  return {
    traceId: span.hex(1),
    spanId: span.hex(2),
    parentSpanId: span.hex(4),
    name: span.text(5),
    kind: KINDS[Number(span.integer(6))] ?? 'other',
    startNanos: span.integer(7),
    endNanos: span.integer(8),
    attributes: attributesOf(span.messages(9)),
    events: span.messages(11).map((event) => ({
      timeNanos: event.integer(1),
      name: event.text(2),
      attributes: attributesOf(event.messages(3)),
    })),
    status: STATUSES[Number(span.message(15)?.integer(3) ?? 0n)] ?? 'unset',
    flags: Number(span.integer(16)),
  };
}

const METRIC_FIELDS = { gauge: 5, sum: 7, histogram: 9 } as const;
const CUMULATIVE = 2n;

function metricOf(metric: Message): Omit<OtlpMetric, 'resource'> {
  for (const kind of ['gauge', 'sum', 'histogram'] as const) {
    const data = metric.message(METRIC_FIELDS[kind]);
    if (data === undefined) continue;
    return {
      name: metric.text(1),
      unit: metric.text(3),
      kind,
      isMonotonic: data.integer(3) === 1n,
      isCumulative: data.integer(2) === CUMULATIVE,
      points: data.messages(1).map(kind === 'histogram' ? histogramPoint : numberPoint),
    };
  }
  throw new Error(`the metric ${metric.text(1)} is of no kind that is known here`);
}

function numberPoint(point: Message): OtlpPoint {
  const value = point.has(4) ? point.double(4) : Number(BigInt.asIntN(64, point.integer(6)));
  return { attributes: attributesOf(point.messages(7)), value, count: 0n, sum: 0, bucketCounts: [], bounds: [] };
}

function histogramPoint(point: Message): OtlpPoint {
  return {
    attributes: attributesOf(point.messages(9)),
    value: undefined,
    count: point.integer(4),
    sum: point.double(5),
    bucketCounts: point.fixed64s(6),
    bounds: point.doubles(7),
  };
}

function attributesOf(pairs: readonly Message[]): Attributes {
  return Object.fromEntries(pairs.map((pair) => [pair.text(1), anyValue(pair.message(2))]));
}

/** An `AnyValue`; undefined when it holds none. */
function anyValue(value: Message | undefined): unknown {
  if (value?.has(1)) return value.text(1);
  if (value?.has(2)) return value.integer(2) === 1n;
  if (value?.has(3)) return Number(BigInt.asIntN(64, value.integer(3)));
  if (value?.has(4)) return value.double(4);
  if (value?.has(5)) return value.message(5)?.messages(1).map(anyValue);
  return undefined;
}
