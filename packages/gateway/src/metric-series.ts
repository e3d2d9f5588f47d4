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

/** A metric that somebody else counts, read when somebody asks. One that cannot be read then keeps its last value. */
export interface CountedElsewhere {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly read: () => number | Promise<number>;
}

/** A gauge with one label, whose values are a closed list. */
export interface GaugesByLabel {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  readonly readAll: () => Iterable<readonly [value: string, gauge: number]>;
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
      async collect() {
        const value = await readValue(read);
        if (value !== undefined) this.set(value);
      },
    });
    return;
  }
  new Counter({
    name,
    help,
    registers,
    async collect() {
      const value = await readValue(read);
      if (value === undefined) return;
      this.reset();
      this.inc(value);
    },
  });
}

export function registerGauges(registry: Registry, { name, help, label, readAll }: GaugesByLabel): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      for (const [value, gauge] of readAll()) this.set({ [label]: value }, gauge);
    },
  });
}

async function readValue(read: CountedElsewhere['read']): Promise<number | undefined> {
  try {
    return await read();
  } catch {
    // One store that is down does not take the other metrics along.
    return undefined;
  }
}
