import { type HrTime, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { MetricSeries } from '@postern/gateway';
import type { SpanOrigin } from './call-spans.ts';

export interface MetricProducerOptions {
  readonly origin: SpanOrigin;
  /** What `/metrics` shows. */
  readonly series: () => Promise<readonly MetricSeries[]>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The series of `/metrics` under the same names, with their sums since the start. */
export function createMetricProducer({ origin, series, now }: MetricProducerOptions): MetricProducer {
  const startTime = hrTime(now());
  return {
    collect: async () => {
      const endTime = hrTime(now());
      const metrics = (await series()).map((one) => metricData(one, { startTime, endTime }));
      const { resource, instrumentationScope: scope } = origin;
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] };
    },
  };
}

type Span = Pick<DataPoint<number>, 'startTime' | 'endTime'>;

function metricData(series: MetricSeries, span: Span): MetricData {
  const { name, help: description, type } = series;
  const shared = {
    descriptor: { name, description, unit: name.endsWith('_seconds') ? 's' : '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  switch (type) {
    case 'counter':
      return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points(series, span) };
    case 'gauge':
      return { ...shared, dataPointType: DataPointType.GAUGE, dataPoints: points(series, span) };
    case 'histogram':
      return { ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints: [histogram(series, span)] };
  }
}

function points({ values }: MetricSeries, span: Span): DataPoint<number>[] {
  return values.map(({ value, labels }) => ({ ...span, value, attributes: { ...labels } }));
}

/** Prometheus counts in each bucket what lies below it, too; OTLP only what lies in it. */
function histogram({ name, values }: MetricSeries, span: Span): DataPoint<Histogram> {
  const totalOf = (metricName: string) => values.find((value) => value.metricName === metricName)?.value ?? 0;
  const buckets = values.filter(({ metricName }) => metricName === `${name}_bucket`);
  const counts = buckets.map(({ value }, index) => value - (buckets[index - 1]?.value ?? 0));
  const boundaries = buckets.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite);
  return {
    ...span,
    attributes: {},
    value: { buckets: { boundaries, counts }, sum: totalOf(`${name}_sum`), count: totalOf(`${name}_count`) },
  };
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1_000), Math.round(ms % 1_000) * 1_000_000];
}
