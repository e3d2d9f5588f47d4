import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';

import { batchCalls } from './batch-calls.ts';
import { collectKeys } from './rate-limit-keys.ts';
import { GIVE_BACK, RATE_LIMITS } from './rate-limit-script.ts';
import type { RedisConnection } from './redis-connection.ts';
import { unavailable } from './redis-failure.ts';

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
}

interface Call {
  readonly limits: readonly CountedLimit[];
  readonly nowMs: number;
  readonly spends: boolean;
}

/** Members of the script's answer for one limit. */
const MEMBERS = 5;
/** Calls that one script judges: some hundred microseconds of Redis's time, in which it does nothing else. */
const CALLS_MAX = 64;

/**
 * The windows of rate limits for all nodes: one script, one round trip, for all limits of a call, and for calls that come together. Keys
 * `{prefix}:rate-limits:{tenant}:…`, which live up to a quarter longer than their window. Fails `unavailable`, and then may have counted.
 */
export function createRedisRateLimits(redis: RedisConnection, options: RedisRateLimitsOptions = {}): RateLimitsPort {
  const { prefix = redis.prefix, countersMax = 10_000, clock = 'server' } = options;

  async function judgeAll(calls: readonly Call[]): Promise<readonly (readonly LimitVerdict[])[]> {
    const keys = collectKeys(prefix);
    let words = `${countersMax} ${calls.length}`;
    for (const { limits, nowMs, spends } of calls) {
      words += ` ${clock === 'server' ? '-' : timeOf(nowMs)} ${spends ? 1 : 0} ${limits.length}`;
      for (const limit of limits) words += ` ${keys.placesOf(limit)} ${limit.requests} ${limit.perSeconds}`;
    }
    const answer = readWords(await redis.run(RATE_LIMITS, keys.all, [words]));
    let at = 0;
    const verdicts = calls.map(({ limits, spends }) =>
      limits.map((limit) => {
        const isShared = answer[at] === 1;
        const spentIn = isShared ? keys.othersOf(limit) : keys.counterOf(limit);
        const verdict = new RedisVerdict(answer, at + 1, spends ? spentIn : undefined);
        at += MEMBERS;
        return verdict;
      }),
    );
    if (at !== answer.length) throw unavailable('the script of rate limits answered something else');
    return verdicts;
  }

  const ask = batchCalls(CALLS_MAX, judgeAll);

  return {
    spend: (limits, nowMs) => (limits.length === 0 ? [] : ask({ limits, nowMs, spends: true })),
    judge: (limits, nowMs) => (limits.length === 0 ? [] : ask({ limits, nowMs, spends: false })),
    async giveBack(limits, verdicts) {
      // One limit that refused means that none has counted.
      if (verdicts.some(({ isAllowed }) => !isAllowed)) return;
      const keys: string[] = [];
      const parameters: number[] = [];
      for (const [place, { perSeconds }] of limits.entries()) {
        const verdict = verdicts[place];
        const key = verdict instanceof RedisVerdict ? verdict.takeKey() : undefined;
        if (verdict === undefined || key === undefined) continue;
        keys.push(key);
        parameters.push(verdict.atMs, perSeconds);
      }
      if (keys.length > 0) await redis.run(GIVE_BACK, keys, parameters);
    },
  };
}

/** Numbers as words; what is none is not what the script answers. */
function readWords(answer: unknown): readonly number[] {
  if (typeof answer !== 'string') throw unavailable('the script of rate limits answered something else');
  const numbers: number[] = [];
  for (const word of answer.split(' ')) {
    const number = Number(word);
    if (word === '' || Number.isNaN(number)) throw unavailable('the script of rate limits answered something else');
    numbers.push(number);
  }
  return numbers;
}

/** A verdict that knows where its call was counted: a map beside it is work for each call, and for the collector. */
class RedisVerdict implements LimitVerdict {
  readonly isAllowed: boolean;
  readonly atMs: number;
  readonly remaining: number;
  readonly retryAfterSeconds: number;
  readonly resetSeconds: number;
  #spentIn: string | undefined;

  constructor(answer: readonly number[], at: number, spentIn: string | undefined) {
    this.isAllowed = answer[at] === 1;
    this.atMs = answer[at + 1] ?? 0;
    this.remaining = answer[at + 2] ?? 0;
    this.resetSeconds = answer[at + 3] ?? 1;
    this.retryAfterSeconds = this.isAllowed ? 0 : this.resetSeconds;
    this.#spentIn = spentIn;
  }

  /** The counter's key, once: what was given back is not given back again. */
  takeKey(): string | undefined {
    const key = this.#spentIn;
    this.#spentIn = undefined;
    return key;
  }
}

/** As the window in memory: a time that is none moves nothing. */
function timeOf(nowMs: number): number {
  return Number.isFinite(nowMs) ? Math.max(0, Math.floor(nowMs)) : 0;
}
