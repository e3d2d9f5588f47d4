import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DurationCounts } from './duration-counts.ts';
import type {
  CountedByLabels,
  CountedDurations,
  CountedElsewhere,
  MetricSeries,
  MetricSource,
  MetricValue,
} from './metric-source.ts';

/** Tells prom-client what was counted, and has it make the text: its own counting is too dear for every call. */
export class MetricRegistry {
  readonly #registry = new Registry();

  add(source: MetricSource): void {
    if ('counts' in source) new ReadHistogram(source, this.#registry);
    else if ('read' in source) addNumber(source, this.#registry);
    else addByLabels(source, this.#registry);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** What the text shows, as values. */
  async series(): Promise<readonly MetricSeries[]> {
    return (await this.#registry.getMetricsAsJSON()) as unknown as MetricSeries[];
  }
}

function addNumber({ name, help, type, read }: CountedElsewhere, registry: Registry): void {
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

function addByLabels({ name, help, type, labels: labelNames, readAll }: CountedByLabels, registry: Registry): void {
  const options = { name, help, labelNames, registers: [registry] };
  if (type === 'gauge') {
    new Gauge({
      ...options,
      collect() {
        this.reset();
        for (const [labels, value] of readAll()) this.set(labels, value);
      },
    });
    return;
  }
  new Counter({
    ...options,
    collect() {
      this.reset();
      for (const [labels, value] of readAll()) this.inc(labels, value);
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

/** Shows what somebody else counted; prom-client's own hashes labels at each observation. */
class ReadHistogram extends Histogram {
  readonly #source: CountedDurations;

  constructor(source: CountedDurations, registry: Registry) {
    super({ name: source.name, help: source.help, registers: [registry] });
    this.#source = source;
  }

  /** What a registry asks for its text. */
  getForPromString(): MetricSeries {
    const { name, help, counts } = this.#source;
    return { name, help, type: 'histogram', values: valuesOf(name, counts) };
  }

  /** What a registry asks for its values. */
  override async get() {
    return { ...this.getForPromString(), aggregator: 'sum' } as unknown as Awaited<ReturnType<Histogram['get']>>;
  }
}

function valuesOf(name: string, counts: DurationCounts): MetricValue[] {
  const buckets = [...counts.upTo()];
  const metricName = `${name}_bucket`;
  return [
    ...buckets.map(([le, value]) => ({ value, labels: { le }, metricName })),
    { value: counts.sum(), labels: {}, metricName: `${name}_sum` },
    { value: buckets.at(-1)?.[1] ?? 0, labels: {}, metricName: `${name}_count` },
  ];
}
