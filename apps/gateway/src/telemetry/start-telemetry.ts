import { readFileSync } from 'node:fs';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import {
  ATTR_DEPLOYMENT_ENVIRONMENT_NAME,
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import type { CallTracing, MetricSeries } from '@postern/gateway';
import type { SpanOrigin } from './call-spans.ts';
import { createCallTracing } from './call-tracing.ts';
import { countDroppedSpans } from './dropped-spans.ts';
import { createMetricProducer } from './metric-producer.ts';
import type { MetricSettings, OtlpSettings, TelemetrySettings, TraceSettings } from './telemetry-settings.ts';

export interface TelemetryOptions {
  readonly settings: TelemetrySettings;
  readonly node: string;
  readonly environment: string | undefined;
  readonly publicUrl: () => string;
  readonly series: () => Promise<readonly MetricSeries[]>;
  /** Told of what could not be delivered, at most once a minute. `problem` is no text of the receiver's. */
  readonly onUndelivered: (signal: 'traces' | 'metrics', problem: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Telemetry {
  /** undefined when traces are off. */
  readonly tracing: CallTracing | undefined;
  /** Spans that were lost: the queue was full, or the receiver did not take them. */
  readonly droppedSpans: () => number;
  /** Sends what is left; resolves within three seconds, whatever the receiver does. */
  readonly stop: () => Promise<void>;
}

const STOP_MS = 3_000;

/**
 * Traces and metrics by OTLP over HTTP. The receiver is the operator's, not a tenant's, so the guard does not judge it. Nothing here
 * waits on the path of a call: spans go into a bounded queue, and a receiver that is slow, gone or silent costs spans.
 *
 * This module and the SDK behind it are loaded only when telemetry is on.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { settings, onUndelivered, now } = options;
  const origin = originOf(options);
  let dropped = 0;
  const onDropped = (spans: number) => {
    dropped += spans;
  };
  const traces = settings.traces;
  const processor =
    traces &&
    spanProcessor(
      traces,
      onDropped,
      hourglass((problem) => onUndelivered('traces', problem), now),
    );
  const metrics = settings.metrics && startMetrics(settings.metrics, origin, options);
  const tracing =
    traces &&
    processor &&
    createCallTracing({
      sampler: samplerOf(traces),
      origin,
      publicUrl: options.publicUrl,
      record: (span) => processor.onEnd(span),
    });
  return {
    tracing,
    droppedSpans: () => dropped,
    stop: () => within(STOP_MS, [processor?.shutdown(), metrics?.shutdown()]),
  };
}

function originOf({ settings, node, environment }: TelemetryOptions): SpanOrigin {
  const own = {
    [ATTR_SERVICE_VERSION]: VERSION,
    [ATTR_SERVICE_INSTANCE_ID]: node,
    ...(environment === undefined ? {} : { [ATTR_DEPLOYMENT_ENVIRONMENT_NAME]: environment }),
  };
  return {
    resource: defaultResource().merge(resourceFromAttributes({ ...own, ...settings.resource })),
    instrumentationScope: { name: 'postern', version: VERSION },
  };
}

const VERSION: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

function spanProcessor(
  settings: TraceSettings,
  onDropped: (spans: number) => void,
  onFailure: (problem: string) => void,
): BatchSpanProcessor {
  return new BatchSpanProcessor({
    exporter: told(new OTLPTraceExporter(exporterConfig(settings)), onFailure),
    maxQueueSize: settings.queueMax,
    maxExportBatchSize: settings.batchMax,
    scheduledDelayMillis: settings.batchDelayMs,
    exportTimeoutMillis: settings.batchTimeoutMs,
    selfObsMeterProvider: countDroppedSpans(onDropped),
  });
}

function startMetrics(settings: MetricSettings, origin: SpanOrigin, options: TelemetryOptions): MeterProvider {
  const { series, now, onUndelivered } = options;
  const onFailure = hourglass((problem) => onUndelivered('metrics', problem), now);
  const reader = new PeriodicExportingMetricReader({
    exporter: told(new OTLPMetricExporter(exporterConfig(settings)), onFailure),
    exportIntervalMillis: settings.intervalMs,
    metricProducers: [createMetricProducer({ origin, series, now })],
  });
  return new MeterProvider({ resource: origin.resource, readers: [reader] });
}

function exporterConfig({ url, headers, timeoutMs, compression, ca, cert, key }: OtlpSettings): object {
  const agent = { keepAlive: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  return { url, headers, timeoutMillis: timeoutMs, compression, httpAgentOptions: agent };
}

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  switch (sampler) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}

type ExportDone = (result: { readonly code: number; readonly error?: Error }) => void;

/** The exporter, whose failures are heard. */
function told<Items, Exporter extends { export(items: Items, done: ExportDone): void }>(
  exporter: Exporter,
  onFailure: (problem: string) => void,
): Exporter {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) => {
    send(items, (result) => {
      if (result.code !== 0) onFailure(problemOf(result.error));
      done(result);
    });
  };
  return exporter;
}

/** The receiver's own words stay out: they may repeat what it was sent. */
function problemOf(error: Error | undefined): string {
  if (error === undefined) return 'no answer';
  const { code } = error as { code?: unknown };
  if (typeof code === 'number') return `status ${code}`;
  return typeof code === 'string' ? code : error.name === 'OTLPExporterError' ? 'refused' : error.message;
}

const AGAIN_MS = 60_000;

/** Passes the first on, and then one a minute. */
function hourglass(tell: (problem: string) => void, now: () => number): (problem: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  return (problem) => {
    if (Math.abs(now() - toldAt) < AGAIN_MS) return;
    toldAt = now();
    tell(problem);
  };
}

/** What fails has been told; what takes longer is left. */
async function within(ms: number, tasks: readonly (Promise<void> | undefined)[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, Promise.allSettled(tasks)]);
  clearTimeout(timer);
}
