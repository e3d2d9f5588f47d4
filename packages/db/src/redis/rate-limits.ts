import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';

import { batchCalls } from './batch-calls.ts';
import { createPermitsAhead } from './permits-ahead.ts';
import { type LimitAnswer, readLimitAnswers } from './rate-limit-answer.ts';
import { type CollectedKeys, collectKeys } from './rate-limit-keys.ts';
import { GIVE_BACK, RATE_LIMITS } from './rate-limit-script.ts';
import type { RedisConnection } from './redis-connection.ts';
import { RedisVerdict, type SpentPermits } from './redis-verdict.ts';

export interface RedisRateLimitsOptions {
  /** Default: the connection's. */
  readonly prefix?: string;
  /** Of one tenant; those that calls share for want of room are beside these, one for each rule. Default 10,000. */
  readonly countersMax?: number;
  /**
   * Whose time counts. `server`, the default: Redis's own, so that nodes whose clocks differ agree, and `nowMs` is passed over.
   * `caller`: `nowMs`, for tests and replays; one node that is ahead then drags all windows with it.
   */
  readonly clock?: 'server' | 'caller';
  /** For so many milliseconds a node asks for permits of busy limits ahead; 0: never. Default 20 by the server's clock, 0 by callers'. */
  readonly aheadMs?: number;
}

interface Call {
  readonly limits: readonly CountedLimit[];
  readonly nowMs: number;
  readonly does: keyof typeof DOES;
  /** Of each limit, for calls that are still to come; default: as many as are wanted. */
  readonly permits?: readonly number[];
}

const DOES = { judge: 0, spend: 1, askAhead: 2 };

/** A limit of a call that asks Redis. */
interface AskedLimit {
  readonly limit: CountedLimit;
  readonly isSpent: boolean;
  readonly askedMs: number;
  /** Permits beside the call's own. */
  readonly permits: number;
}

/** Calls that one script judges: some hundred microseconds of Redis's time, in which it does nothing else. */
const CALLS_MAX = 64;
/** A counter that has fewer calls left gives no permits ahead. */
const KEPT_BACK = 512;

/**
 * The windows of rate limits for all nodes: one script, one round trip, for all limits of a call, and for calls that come together. Where a
 * node's calls are many and a limit has plenty left, it asks for the permits of its next milliseconds as well, and gives back what no call
 * has used: never do more pass than the limit says. Keys `{prefix}:rate-limits:{tenant}:…`, which live up to a quarter longer than their
 * window. Fails `unavailable`, and then may have counted.
 */
export function createRedisRateLimits(redis: RedisConnection, options: RedisRateLimitsOptions = {}): RateLimitsPort {
  const { prefix = redis.prefix, countersMax = 10_000, clock = 'server' } = options;
  const { aheadMs = clock === 'server' ? 20 : 0 } = options;
  const ahead = createPermitsAhead({
    lifeMs: aheadMs,
    requestsMin: aheadMs > 0 ? KEPT_BACK : Number.POSITIVE_INFINITY,
    // Without an answer the next call that finds no permit asks for itself, and fails if that fails.
    onFew: (limit, permits, nowMs) =>
      void ask({ limits: [limit], nowMs, does: 'askAhead', permits: [permits] }).catch(() => undefined),
    // What cannot be given back stays spent: refused longer, never shorter.
    onUnused: (unused) => void giveBackAll(unused).catch(() => undefined),
  });
  /** Of permits: this process's own time, which nobody puts right. */
  const timeHere = (nowMs: number) => (clock === 'server' ? performance.now() : timeOf(nowMs));

  async function judgeAll(calls: readonly Call[]): Promise<readonly (readonly LimitVerdict[])[]> {
    const asked: AskedLimit[] = [];
    try {
      const keys = collectKeys(prefix);
      const words = writeWords(calls, keys, asked);
      const answers = readLimitAnswers(await redis.run(RATE_LIMITS, keys.all, [words]), asked.length);
      const verdicts = answers.map((answer, place) => noteAnswer(answer, asked[place] as AskedLimit, keys));
      let taken = 0;
      return calls.map(({ limits }) => {
        taken += limits.length;
        return verdicts.slice(taken - limits.length, taken);
      });
    } finally {
      for (const { limit, permits } of asked) if (permits > 0) ahead.endAsking(limit);
    }
  }

  /** The script's argument; adds each limit that it names to `asked`. */
  function writeWords(calls: readonly Call[], keys: CollectedKeys, asked: AskedLimit[]): string {
    let words = `${countersMax} ${aheadMs} ${KEPT_BACK} ${calls.length}`;
    for (const { limits, nowMs, does, permits: given } of calls) {
      words += ` ${clock === 'server' ? '-' : timeOf(nowMs)} ${DOES[does]} ${limits.length}`;
      const askedMs = timeHere(nowMs);
      const wanted = given ?? (does === 'spend' ? ahead.want(limits, askedMs) : []);
      for (const [place, limit] of limits.entries()) {
        const permits = wanted[place] ?? 0;
        asked.push({ limit, isSpent: does === 'spend', askedMs, permits });
        words += ` ${keys.placesOf(limit)} ${limit.requests} ${limit.perSeconds} ${permits}`;
      }
    }
    return words;
  }

  function noteAnswer(answer: LimitAnswer, { limit, isSpent, askedMs }: AskedLimit, keys: CollectedKeys): RedisVerdict {
    const { isShared, isAllowed, atMs, remaining, resetSeconds } = answer;
    const counter = isShared ? keys.othersOf(limit) : keys.counterOf(limit);
    if (answer.ahead !== undefined) {
      ahead.hold({ limit, counter, remaining, resetSeconds, untilMs: askedMs + aheadMs, ...answer.ahead });
    }
    const verdict = { isAllowed, atMs, remaining: remaining + ahead.leftOf(limit), resetSeconds };
    return new RedisVerdict(verdict, isSpent ? { counter, perSeconds: limit.perSeconds } : undefined);
  }

  async function giveBackAll(spent: readonly SpentPermits[]): Promise<void> {
    const keys = spent.map(({ counter }) => counter);
    const parameters = spent.flatMap(({ atMs, perSeconds, permits }) => [atMs, perSeconds, permits]);
    if (keys.length > 0) await redis.run(GIVE_BACK, keys, parameters);
  }

  const ask = batchCalls(CALLS_MAX, judgeAll);

  return {
    spend: (limits, nowMs) =>
      limits.length === 0 ? [] : (ahead.take(limits, timeHere(nowMs)) ?? ask({ limits, nowMs, does: 'spend' })),
    judge: (limits, nowMs) => (limits.length === 0 ? [] : ask({ limits, nowMs, does: 'judge' })),
    async giveBack(_, verdicts) {
      // One limit that refused means that none has counted.
      if (verdicts.some(({ isAllowed }) => !isAllowed)) return;
      const spent = verdicts.map((verdict) => (verdict instanceof RedisVerdict ? verdict.giveBack() : undefined));
      await giveBackAll(spent.filter((one) => one !== undefined));
    },
  };
}

/** As the window in memory: a time that is none moves nothing. */
function timeOf(nowMs: number): number {
  return Number.isFinite(nowMs) ? Math.max(0, Math.floor(nowMs)) : 0;
}
