import { Counter, Gauge, type Registry } from 'prom-client';

/** All values of one metric, in Prometheus's terms. */
export interface MetricSeries {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Of a histogram: `{name}_bucket`, `{name}_sum` or `{name}_count`. */
  readonly metricName?: string;
}

/** A metric that somebody else counts, read when somebody asks. */
export interface CountedElsewhere {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly read: () => number;
}

/** What the registry shows as text, as values. */
export async function readSeries(registry: Registry): Promise<readonly MetricSeries[]> {
  return (await registry.getMetricsAsJSON()) as unknown as MetricSeries[];
}

export function registerCounted(registry: Registry, { name, help, type, read }: CountedElsewhere): void {
  const registers = [registry];
  if (type === 'gauge') {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
    return;
  }
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
