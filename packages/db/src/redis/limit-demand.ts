import type { CountedLimit } from '../ports/rate-limits.ts';
import type { HeldPermits } from './held-permits.ts';

/** This node's calls that one counter counts, and the permits for the next of them. */
export interface LimitDemand {
  periodMs: number;
  /** Of this period, and of the one before. */
  calls: number;
  callsBefore: number;
  isAsking: boolean;
  held: HeldPermits | undefined;
  /** Those after them. */
  next: HeldPermits | undefined;
}

const SWEEP_EVERY_MS = 10_000;

/** What is known of counters in periods of `periodMs`; of those without a call for some seconds, nothing. */
export function createLimitDemands(periodMs: number) {
  const tenants = new Map<string, Map<string, LimitDemand>>();
  let sweptMs = 0;

  function sweep(nowMs: number): void {
    if (Math.abs(nowMs - sweptMs) < SWEEP_EVERY_MS) return;
    sweptMs = nowMs;
    for (const [tenant, demands] of tenants) {
      for (const [key, demand] of demands) {
        if (!demand.isAsking && Math.abs(nowMs - demand.periodMs) >= SWEEP_EVERY_MS) demands.delete(key);
      }
      if (demands.size === 0) tenants.delete(tenant);
    }
  }

  return {
    find: (limit: CountedLimit): LimitDemand | undefined => tenants.get(limit.tenant)?.get(limit.key),
    /** With the call for which it is opened. */
    open(limit: CountedLimit, nowMs: number): void {
      sweep(nowMs);
      const demands = tenants.get(limit.tenant) ?? new Map<string, LimitDemand>();
      tenants.set(limit.tenant, demands);
      const nothing = { callsBefore: 0, isAsking: false, held: undefined, next: undefined };
      demands.set(limit.key, { periodMs: nowMs, calls: 1, ...nothing });
    },
    noteCall(demand: LimitDemand, nowMs: number): void {
      const sinceMs = nowMs - demand.periodMs;
      if (sinceMs < 0 || sinceMs >= periodMs) {
        demand.callsBefore = sinceMs < 2 * periodMs ? demand.calls : 0;
        demand.calls = 0;
        demand.periodMs = nowMs;
      }
      demand.calls += 1;
    },
  };
}
