import { createWindow, giveBack, judgeWindow, spendWindows, type WindowState } from '@postern/policy';
import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';

export interface MemoryRateLimitsOptions {
  /** Of one tenant; those that calls share for want of room are beside these, one for each rule. Default 10,000. */
  readonly countersMax?: number;
}

interface Counter {
  readonly state: WindowState;
  /** From then on it counts nothing. */
  emptyAtMs: number;
}

type Counters = Map<string, Counter>;

const COUNTERS_MAX = 10_000;
const SWEEP_EVERY_MS = 60_000;

/** Counters in this process: for one node. Empty ones are swept once a minute. */
export function createMemoryRateLimits({ countersMax = COUNTERS_MAX }: MemoryRateLimitsOptions = {}): RateLimitsPort & {
  /** Counters held now. */
  readonly size: number;
} {
  const tenants = new Map<string, Counters>();
  /** Where a verdict's call was counted: by then its key may have found room of its own. */
  const spentIn = new WeakMap<LimitVerdict, WindowState>();
  let sweptMs = 0;

  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < SWEEP_EVERY_MS) return;
    sweptMs = nowMs;
    for (const [tenant, counters] of tenants) {
      for (const [key, { emptyAtMs }] of counters) if (emptyAtMs <= nowMs) counters.delete(key);
      if (counters.size === 0) tenants.delete(tenant);
    }
  }

  /** undefined: nothing was counted for it yet, and it has room. */
  function find(limit: CountedLimit): { readonly key: string; readonly counter: Counter | undefined } {
    const counters = tenants.get(limit.tenant);
    const counter = counters?.get(limit.key);
    if (counter !== undefined || counters === undefined || counters.size < countersMax)
      return { key: limit.key, counter };
    // A key of another form than any that is given: JSON texts begin otherwise.
    const key = `others of ${limit.rule}`;
    return { key, counter: counters.get(key) };
  }

  function open(limit: CountedLimit): Counter {
    const { key, counter } = find(limit);
    if (counter !== undefined) return counter;
    const counters: Counters = tenants.get(limit.tenant) ?? new Map();
    tenants.set(limit.tenant, counters);
    const created = { state: createWindow(), emptyAtMs: 0 };
    counters.set(key, created);
    return created;
  }

  return {
    get size() {
      let size = 0;
      for (const counters of tenants.values()) size += counters.size;
      return size;
    },
    spend(limits, nowMs) {
      sweep(nowMs);
      const counters = limits.map(open);
      const windows = counters.map(({ state }, place) => ({ state, window: limits[place] as CountedLimit }));
      const verdicts = spendWindows(windows, nowMs);
      for (const [place, counter] of counters.entries()) {
        const verdict = verdicts[place];
        if (verdict !== undefined) spentIn.set(verdict, counter.state);
        counter.emptyAtMs = Math.max(counter.emptyAtMs, emptyAt(counter.state.now, limits[place] as CountedLimit));
      }
      return verdicts;
    },
    judge(limits, nowMs) {
      return limits.map((limit) => judgeWindow(find(limit).counter?.state ?? createWindow(), limit, nowMs));
    },
    giveBack(limits, verdicts) {
      // One limit that refused means that none has counted.
      if (verdicts.some(({ isAllowed }) => !isAllowed)) return;
      for (const [place, limit] of limits.entries()) {
        const verdict = verdicts[place];
        const state = verdict === undefined ? undefined : spentIn.get(verdict);
        if (verdict === undefined || state === undefined) continue;
        spentIn.delete(verdict);
        giveBack(state, limit, verdict.atMs);
      }
    },
  };
}

/** A window keeps a call for its length and at most a thousandth more. */
function emptyAt(nowMs: number, { perSeconds }: CountedLimit): number {
  return nowMs + perSeconds * 1_001 + 1;
}
