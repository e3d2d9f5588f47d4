import type { CountedLimit, LimitVerdict, RateLimitsPort } from '../ports/rate-limits.ts';
import { createDeadlines } from './deadlines.ts';

export interface FallbackRateLimitsOptions {
  readonly redis: RateLimitsPort;
  /** This node's own windows. */
  readonly memory: RateLimitsPort;
  /** Hears that Redis is left alone, and why; once, until it is asked again with success. */
  readonly onDegraded?: (reason: string) => void;
  readonly onRestored?: () => void;
  /** A call waits so long for Redis and is then judged by memory. Default 250. */
  readonly timeoutMs?: number;
  /** So long Redis is left alone after a failure; then one call tries it. Default 1,000. */
  readonly restMs?: number;
  /** Milliseconds that only go forward. */
  readonly monotonicMs?: () => number;
}

export interface FallbackRateLimits extends RateLimitsPort {
  isDegraded(): boolean;
  counts(): {
    /** Calls that memory judged. */
    readonly fellBack: number;
    /** Times that Redis failed, or was too slow. */
    readonly failures: number;
  };
}

/**
 *   asking → resting (a call failed or was too slow) → trying (one call, after `restMs`) → asking | resting
 *
 * Rate limits by Redis, and by this node's memory within the same call when Redis fails or is slow. Then the quota's history is lost, and
 * each node grants the quota for itself; a call that Redis counted too late counts twice, never not at all.
 */
export function createFallbackRateLimits(options: FallbackRateLimitsOptions): FallbackRateLimits {
  const { redis, memory, timeoutMs = 250, restMs = 1_000, monotonicMs = () => performance.now() } = options;
  const within = createDeadlines(timeoutMs);
  /** Whose verdict it was, so that it is given back there. */
  const byMemory = new WeakSet<LimitVerdict>();
  const counts = { fellBack: 0, failures: 0 };
  /** Until then Redis is left alone; undefined while it is asked. */
  let restUntilMs: number | undefined;
  let isTrying = false;

  function fail(reason: string): void {
    counts.failures += 1;
    const isNew = restUntilMs === undefined;
    restUntilMs = monotonicMs() + restMs;
    if (isNew) options.onDegraded?.(reason);
  }

  function succeed(): void {
    if (restUntilMs === undefined) return;
    restUntilMs = undefined;
    options.onRestored?.();
  }

  function judgeHere(kind: 'spend' | 'judge', limits: readonly CountedLimit[], nowMs: number) {
    counts.fellBack += 1;
    const verdicts = memory[kind](limits, nowMs);
    return verdicts instanceof Promise ? verdicts.then(noteMemory) : noteMemory(verdicts);
  }

  function noteMemory(verdicts: readonly LimitVerdict[]): readonly LimitVerdict[] {
    for (const verdict of verdicts) byMemory.add(verdict);
    return verdicts;
  }

  function ask(kind: 'spend' | 'judge', limits: readonly CountedLimit[], nowMs: number) {
    const verdicts = redis[kind](limits, nowMs);
    if (!(verdicts instanceof Promise)) return verdicts;
    return within(verdicts).catch((error: unknown) => {
      fail(error instanceof Error ? error.message : String(error));
      return judgeHere(kind, limits, nowMs);
    });
  }

  /** This call alone finds out whether Redis is back: an answer to one from before a failure says nothing of what came after. */
  async function tryAgain(kind: 'spend' | 'judge', limits: readonly CountedLimit[], nowMs: number) {
    isTrying = true;
    const failuresBefore = counts.failures;
    try {
      const verdicts = await ask(kind, limits, nowMs);
      if (counts.failures === failuresBefore) succeed();
      return verdicts;
    } finally {
      isTrying = false;
    }
  }

  function route(kind: 'spend' | 'judge', limits: readonly CountedLimit[], nowMs: number) {
    if (limits.length === 0) return [];
    if (restUntilMs === undefined) return ask(kind, limits, nowMs);
    if (isTrying || monotonicMs() < restUntilMs) return judgeHere(kind, limits, nowMs);
    return tryAgain(kind, limits, nowMs);
  }

  return {
    spend: (limits, nowMs) => route('spend', limits, nowMs),
    judge: (limits, nowMs) => route('judge', limits, nowMs),
    giveBack(limits, verdicts) {
      if (verdicts.some((verdict) => byMemory.has(verdict))) return memory.giveBack(limits, verdicts);
      if (restUntilMs !== undefined) return undefined; // It stays spent: refused longer, never shorter.
      return giveBackThere(limits, verdicts);
    },
    isDegraded: () => restUntilMs !== undefined,
    counts: () => ({ ...counts }),
  };

  async function giveBackThere(limits: readonly CountedLimit[], verdicts: readonly LimitVerdict[]): Promise<void> {
    try {
      await redis.giveBack(limits, verdicts);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  }
}
