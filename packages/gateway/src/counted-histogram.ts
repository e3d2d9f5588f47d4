import { Histogram, type Registry } from 'prom-client';

/** Upper bounds in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** A histogram without labels that costs the path of a call a short loop; prom-client's own hashes labels at each observation. */
export class CountedHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sum = 0;

  constructor(name: string, help: string, registry: Registry) {
    super({ name, help, registers: [registry] });
    this.#name = name;
    this.#help = help;
  }

  count(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  /** What a registry asks for its text. */
  getForPromString(): { name: string; help: string; type: 'histogram'; values: readonly HistogramValue[] } {
    return { name: this.#name, help: this.#help, type: 'histogram', values: this.#values() };
  }

  /** What a registry asks for its values. */
  override async get() {
    return { ...this.getForPromString(), aggregator: 'sum' } as unknown as Awaited<ReturnType<Histogram['get']>>;
  }

  #values(): HistogramValue[] {
    const values: HistogramValue[] = [];
    let below = 0;
    for (const [index, bound] of [...BOUNDS, '+Inf'].entries()) {
      below += this.#counts[index] as number;
      values.push({ value: below, labels: { le: bound }, metricName: `${this.#name}_bucket` });
    }
    values.push({ value: this.#sum, labels: {}, metricName: `${this.#name}_sum` });
    values.push({ value: below, labels: {}, metricName: `${this.#name}_count` });
    return values;
  }
}

interface HistogramValue {
  readonly value: number;
  readonly labels: { readonly le?: string | number };
  readonly metricName: string;
}
