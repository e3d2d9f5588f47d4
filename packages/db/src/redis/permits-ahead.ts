import type { CountedLimit } from '../ports/rate-limits.ts';
import { createPermitEnds } from './ending-permits.ts';
import { type GivenPermits, HeldPermits } from './held-permits.ts';
import { createLimitDemands, type LimitDemand } from './limit-demand.ts';
import type { RedisVerdict, SpentPermits } from './redis-verdict.ts';

export interface PermitsAheadOptions {
  /** Milliseconds for which permits are held. */
  readonly lifeMs: number;
  /** Calls with a limit of fewer requests ask Redis themselves. */
  readonly requestsMin: number;
  /** Asks Redis for more of a limit while there are some; `endAsking` has to follow. */
  readonly onFew: (limit: CountedLimit, permits: number, nowMs: number) => void;
  /** Gets what no call has used in its time. */
  readonly onUnused: (unused: readonly SpentPermits[]) => void;
}

/** Times are milliseconds of one clock. */
export interface PermitsAhead {
  /** The verdicts of a call that finds a permit for each of its limits; otherwise nothing is taken. */
  take(limits: readonly CountedLimit[], nowMs: number): readonly RedisVerdict[] | undefined;
  /**
   * For a call that asks Redis itself: how many permits of each limit it should ask for beside its own. For each with some, `endAsking`
   * has to follow.
   */
  want(limits: readonly CountedLimit[], nowMs: number): readonly number[];
  hold(given: GivenPermits): void;
  endAsking(limit: CountedLimit): void;
  /** Permits for calls of the limit that are here. */
  leftOf(limit: CountedLimit): number;
}

/** Fewer calls than that ask one by one. */
const CALLS_MIN = 4;
const PERMITS_MAX = 256;
/** Of the calls of `lifeMs`: so that they are used before their time is over. */
const SHARE_ASKED = 0.6;
/** So much of what was given is left when more is asked for. */
const SHARE_LEFT = 1 / 3;

/** Permits for the calls of the next milliseconds, where calls are many: one round trip does for all of them. */
export function createPermitsAhead({ lifeMs, requestsMin, onFew, onUnused }: PermitsAheadOptions): PermitsAhead {
  const demands = createLimitDemands(lifeMs);
  const endInTime = createPermitEnds(lifeMs, onUnused);

  const areMany = (limits: readonly CountedLimit[]) => limits.every(({ requests }) => requests >= requestsMin);

  function takeOne(limit: CountedLimit, nowMs: number): RedisVerdict | undefined {
    const demand = demands.find(limit);
    if (demand === undefined) return undefined;
    demands.noteCall(demand, nowMs);
    if (demand.next !== undefined && !demand.held?.isFor(limit, nowMs)) {
      demand.held = demand.next;
      demand.next = undefined;
    }
    const { held } = demand;
    if (!held?.isFor(limit, nowMs)) return undefined;
    const verdict = held.take();
    if (held.left <= held.given * SHARE_LEFT) {
      const permits = startAsking(demand);
      if (permits > 0) onFew(limit, permits, nowMs);
    }
    return verdict;
  }

  /** Answers how many permits to ask for. */
  function startAsking(demand: LimitDemand): number {
    const calls = Math.max(demand.calls, demand.callsBefore);
    if (demand.isAsking || demand.next !== undefined || calls < CALLS_MIN) return 0;
    demand.isAsking = true;
    return Math.min(Math.ceil(calls * SHARE_ASKED), PERMITS_MAX);
  }

  return {
    take(limits, nowMs) {
      if (!areMany(limits)) return undefined;
      const verdicts: RedisVerdict[] = [];
      for (const limit of limits) {
        const verdict = takeOne(limit, nowMs);
        if (verdict === undefined) {
          for (const taken of verdicts) taken.giveBack();
          return undefined;
        }
        verdicts.push(verdict);
      }
      return verdicts;
    },
    want(limits, nowMs) {
      if (!areMany(limits)) return [];
      return limits.map((limit) => {
        const demand = demands.find(limit);
        if (demand !== undefined) return startAsking(demand);
        demands.open(limit, nowMs);
        return 0;
      });
    },
    hold(given) {
      const held = new HeldPermits(given);
      const demand = demands.find(given.limit);
      if (demand !== undefined) demand.next = held;
      endInTime(held);
    },
    endAsking(limit) {
      const demand = demands.find(limit);
      if (demand !== undefined) demand.isAsking = false;
    },
    leftOf(limit) {
      const { held, next } = demands.find(limit) ?? {};
      return (held?.left ?? 0) + (next?.left ?? 0);
    },
  };
}
