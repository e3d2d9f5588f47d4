/**
 * How many calls each agent sent to each action in the last minute, hour and day, for conditions on `count`. Kept in memory, for
 * tenants whose policy asks alone; a start begins at 0.
 *
 * Time is cut into slots, and a slot is counted until all of it is past: never too few, and a sixtieth of the time too long at most.
 * A clock that goes back is taken to stand still.
 */
export class CallCounts {
  /** By what is counted, the least recently counted first. */
  readonly #counters = new Map<string, Counter>();
  readonly #countersMax: number;

  constructor(countersMax: number = COUNTERS_MAX) {
    this.#countersMax = countersMax;
  }

  add(counted: CountedAction, nowMs: number): void {
    const key = keyOf(counted);
    const counter = this.#counters.get(key) ?? createCounter();
    this.#counters.delete(key);
    this.#counters.set(key, counter);
    // Agents and actions are configured, not made up by callers: this many are hardly ever in use at once.
    if (this.#counters.size > this.#countersMax) this.#counters.delete(this.#counters.keys().next().value as string);
    for (const span of counter) {
      advance(span, nowMs);
      span.slots[span.now % span.slots.length] = (span.slots[span.now % span.slots.length] ?? 0) + 1;
      span.total += 1;
    }
  }

  read(
    counted: CountedAction,
    nowMs: number,
  ): { readonly minute: number; readonly hour: number; readonly day: number } {
    const counter = this.#counters.get(keyOf(counted));
    if (counter === undefined) return NONE;
    for (const span of counter) advance(span, nowMs);
    const [minute, hour, day] = counter;
    return { minute: minute.total, hour: hour.total, day: day.total };
  }
}

export interface CountedAction {
  readonly tenant: string;
  readonly agent: string;
  readonly integration: string;
  readonly action: string;
}

const COUNTERS_MAX = 10_000;
const NONE = { minute: 0, hour: 0, day: 0 };

/** The last so many slots, the running one among them. */
interface Span {
  readonly slotMs: number;
  readonly slots: Uint32Array;
  /** Number of the running slot, counted from the epoch. */
  now: number;
  total: number;
}

type Counter = readonly [minute: Span, hour: Span, day: Span];

function createCounter(): Counter {
  // 60 whole slots and the running one.
  return [createSpan(1_000, 61), createSpan(60_000, 61), createSpan(900_000, 97)];
}

function createSpan(slotMs: number, slots: number): Span {
  return { slotMs, slots: new Uint32Array(slots), now: 0, total: 0 };
}

function advance(span: Span, nowMs: number): void {
  const now = Math.floor(nowMs / span.slotMs);
  const passed = Math.min(now - span.now, span.slots.length);
  for (let past = 0; past < passed; past += 1) {
    const place = (now - past) % span.slots.length;
    span.total -= span.slots[place] ?? 0;
    span.slots[place] = 0;
  }
  span.now = Math.max(span.now, now);
}

function keyOf({ tenant, agent, integration, action }: CountedAction): string {
  // Names hold no space.
  return `${tenant} ${agent} ${integration} ${action}`;
}
