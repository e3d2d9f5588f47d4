import type { DurationCounts } from './duration-counts.ts';

/** What is counted here and read when somebody asks. One that cannot be read then keeps its last value. */
export type MetricSource = CountedElsewhere | CountedByLabels | CountedDurations;

interface Described {
  readonly name: string;
  readonly help: string;
}

/** One number. */
export interface CountedElsewhere extends Described {
  readonly type: 'counter' | 'gauge';
  readonly read: () => number | Promise<number>;
}

/** A number for each set of labels, whose values are closed lists. */
export interface CountedByLabels extends Described {
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly readAll: () => Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;
}

export interface CountedDurations extends Described {
  readonly type: 'histogram';
  readonly counts: DurationCounts;
}

/** All values of one metric, in Prometheus's terms. */
export interface MetricSeries extends Described {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Of a histogram: `{name}_bucket`, `{name}_sum` or `{name}_count`. */
  readonly metricName?: string;
}
