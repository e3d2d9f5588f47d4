import { readFileSync } from 'node:fs';
import { type Environment, EnvironmentError } from '../environment.ts';

/** Where one signal goes, and how: the names are OpenTelemetry's, with `_TRACES_` or `_METRICS_` where a signal has its own. */
export interface OtlpSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  /** PEM. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export interface TraceSettings extends OtlpSettings {
  readonly sampler: (typeof SAMPLERS)[number];
  /** 0 to 1, for the samplers by trace id. */
  readonly ratio: number;
  readonly queueMax: number;
  readonly batchMax: number;
  readonly batchDelayMs: number;
  readonly batchTimeoutMs: number;
}

export interface MetricSettings extends OtlpSettings {
  readonly intervalMs: number;
}

/** What of telemetry is on. */
export interface TelemetrySettings {
  readonly traces: TraceSettings | undefined;
  readonly metrics: MetricSettings | undefined;
  /** Attributes of this process, `service.name` among them. */
  readonly resource: Readonly<Record<string, string>>;
}

type Signal = 'TRACES' | 'METRICS';

/**
 * Reads the standard OpenTelemetry variables. undefined: telemetry is off, because no endpoint is named or `OTEL_SDK_DISABLED`.
 *
 * @throws EnvironmentError for the first value that cannot be used.
 */
export function readTelemetrySettings(environment: Environment): TelemetrySettings | undefined {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  const traces = otlpSettings(environment, 'TRACES');
  const metrics = otlpSettings(environment, 'METRICS');
  if (traces === undefined && metrics === undefined) return undefined;
  return {
    traces:
      traces === undefined ? undefined : { ...traces, ...samplerSettings(environment), ...batchSettings(environment) },
    metrics: metrics === undefined ? undefined : { ...metrics, ...metricSettings(environment) },
    resource: resourceAttributes(environment),
  };
}

function otlpSettings(environment: Environment, signal: Signal): OtlpSettings | undefined {
  const exporter = oneOf(environment, `OTEL_${signal}_EXPORTER`, ['otlp', 'none'] as const) ?? 'otlp';
  const url = exporter === 'none' ? undefined : endpoint(environment, signal);
  if (url === undefined) return undefined;
  const name = (end: string) => nameFor(environment, signal, end);
  oneOf(environment, name('PROTOCOL'), ['http/protobuf'] as const);
  return {
    url,
    headers: { ...headers(environment, 'OTEL_EXPORTER_OTLP_HEADERS'), ...headers(environment, name('HEADERS')) },
    timeoutMs: wholeNumber(environment, name('TIMEOUT')) ?? 10_000,
    compression: oneOf(environment, name('COMPRESSION'), ['gzip', 'none'] as const) ?? 'none',
    ca: fileOf(environment, name('CERTIFICATE')),
    cert: fileOf(environment, name('CLIENT_CERTIFICATE')),
    key: fileOf(environment, name('CLIENT_KEY')),
  };
}

/** The signal's own variable when it is set, else the one for all. */
function nameFor(environment: Environment, signal: Signal, end: string): string {
  const own = `OTEL_EXPORTER_OTLP_${signal}_${end}`;
  return environment[own] ? own : `OTEL_EXPORTER_OTLP_${end}`;
}

/** A signal's own endpoint counts as it is; to the one for all the signal's path is added. */
function endpoint(environment: Environment, signal: Signal): string | undefined {
  const own = `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`;
  if (environment[own]) return httpUrl(own, environment[own]).href;
  const shared = environment['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (!shared) return undefined;
  const base = httpUrl('OTEL_EXPORTER_OTLP_ENDPOINT', shared);
  base.pathname = `${base.pathname.replace(/\/$/, '')}/v1/${signal.toLowerCase()}`;
  return base.href;
}

function httpUrl(name: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new EnvironmentError(name, 'is not a URL such as http://collector.example.com:4318');
  return url;
}

function samplerSettings(environment: Environment): Pick<TraceSettings, 'sampler' | 'ratio'> {
  const text = environment['OTEL_TRACES_SAMPLER_ARG'];
  const ratio = text ? Number(text) : 1;
  if (!(ratio >= 0 && ratio <= 1))
    throw new EnvironmentError('OTEL_TRACES_SAMPLER_ARG', `"${text}" is not a share from 0 to 1, such as 0.1`);
  return { sampler: oneOf(environment, 'OTEL_TRACES_SAMPLER', SAMPLERS) ?? 'parentbased_always_on', ratio };
}

type BatchSettings = Pick<TraceSettings, 'queueMax' | 'batchMax' | 'batchDelayMs' | 'batchTimeoutMs'>;

function batchSettings(environment: Environment): BatchSettings {
  const queueMax = wholeNumber(environment, 'OTEL_BSP_MAX_QUEUE_SIZE') ?? 2_048;
  const batchMax = wholeNumber(environment, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE') ?? Math.min(512, queueMax);
  if (batchMax > queueMax)
    throw new EnvironmentError('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 'is larger than OTEL_BSP_MAX_QUEUE_SIZE (2048)');
  return {
    queueMax,
    batchMax,
    batchDelayMs: wholeNumber(environment, 'OTEL_BSP_SCHEDULE_DELAY') ?? 5_000,
    batchTimeoutMs: wholeNumber(environment, 'OTEL_BSP_EXPORT_TIMEOUT') ?? 30_000,
  };
}

function metricSettings(environment: Environment): Pick<MetricSettings, 'intervalMs'> {
  // The counters know their sums since the start, and nothing of what was told before.
  oneOf(environment, 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', ['cumulative'] as const);
  return { intervalMs: wholeNumber(environment, 'OTEL_METRIC_EXPORT_INTERVAL') ?? 60_000 };
}

function resourceAttributes(environment: Environment): Record<string, string> {
  const given = pairs(environment, 'OTEL_RESOURCE_ATTRIBUTES');
  const name = environment['OTEL_SERVICE_NAME'];
  return { 'service.name': 'postern', ...given, ...(name ? { 'service.name': name } : {}) };
}

/** `name=value,…`, each percent-encoded. Values are not repeated in the refusal: headers hold tokens. */
function pairs(environment: Environment, name: string): Record<string, string> {
  const list: Record<string, string> = {};
  for (const item of (environment[name] ?? '').split(',')) {
    if (item.trim() === '') continue;
    const at = item.indexOf('=');
    try {
      const key = decodeURIComponent(item.slice(0, at).trim());
      if (at < 1 || key === '') throw new URIError('no name');
      list[key] = decodeURIComponent(item.slice(at + 1).trim());
    } catch {
      throw new EnvironmentError(name, 'is not a list such as name=value,other=value with percent-encoded values');
    }
  }
  return list;
}

/** RFC 9110 section 5.1 and 5.5. */
function headers(environment: Environment, name: string): Record<string, string> {
  const list = pairs(environment, name);
  for (const [field, value] of Object.entries(list)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(field) || !/^[\t\x20-\x7e]*$/.test(value))
      throw new EnvironmentError(name, 'holds what is no header field');
  }
  return list;
}

const NUMBER_MAX = 2 ** 31 - 1;

function wholeNumber(environment: Environment, name: string): number | undefined {
  const text = environment[name];
  if (!text) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > NUMBER_MAX)
    throw new EnvironmentError(name, `"${text}" is not a whole number above 0`);
  return number;
}

function oneOf<T extends string>(environment: Environment, name: string, values: readonly T[]): T | undefined {
  const text = environment[name];
  if (!text) return undefined;
  const value = values.find((candidate) => candidate === text);
  if (value === undefined)
    throw new EnvironmentError(name, `"${text}" is not supported; use ${values.join(', ')}, or leave it unset`);
  return value;
}

function fileOf(environment: Environment, name: string): string | undefined {
  const path = environment[name];
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new EnvironmentError(name, `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
