import type { ApiSimulation, SimulationQuery } from '@postern/client';
import { Failure } from './exit.ts';
import { countWords } from './output/count-words.ts';
import { localTime } from './output/times.ts';

/** Simulates one window of the range. */
export type AskWindow = (query: SimulationQuery) => Promise<ApiSimulation>;

export interface WindowOptions {
  /** Calls looked at in all. */
  readonly callsMax: number;
  /** Calls of one window. */
  readonly windowCalls: number;
  /** Told after each window but the last. */
  readonly onProgress: (text: string) => void;
}

/**
 * The whole range, window by window from the newest call back.
 *
 * @throws Failure when the policy in force changes meanwhile.
 */
export async function gatherWindows(
  ask: AskWindow,
  query: SimulationQuery,
  { callsMax, windowCalls, onProgress }: WindowOptions,
): Promise<ApiSimulation> {
  let whole = await ask({ ...query, limit: Math.min(windowCalls, callsMax) });
  while (whole.truncated) {
    onProgress(progressOf(whole));
    const left = callsMax - lookedAt(whole);
    if (left <= 0 || whole.nextCursor === undefined) break;
    const { from, to, nextCursor: cursor } = whole;
    whole = joined(whole, await ask({ from, to, cursor, limit: Math.min(windowCalls, left) }));
  }
  return whole;
}

function lookedAt({ calls, notRecorded }: ApiSimulation): number {
  return calls + notRecorded.length;
}

function progressOf(simulation: ApiSimulation): string {
  const { oldest } = simulation;
  const looked = countWords(lookedAt(simulation), 'call');
  return oldest === undefined ? `Looked at ${looked}.` : `Looked at ${looked}, back to ${localTime(oldest)}.`;
}

function joined(former: ApiSimulation, later: ApiSimulation): ApiSimulation {
  if (former.policies.current !== later.policies.current) {
    throw new Failure('The policy in force changed while this ran, so the calls were compared with two; run it again.');
  }
  const { nextCursor: _former, ...rest } = former;
  return {
    ...rest,
    calls: former.calls + later.calls,
    unchanged: former.unchanged + later.unchanged,
    changed: [...former.changed, ...later.changed],
    byRule: joinedCounts(
      [...former.byRule, ...later.byRule],
      ({ rule, before, after }) => `${rule} ${before} ${after}`,
    ),
    undetermined: [...former.undetermined, ...later.undetermined],
    notRecorded: [...former.notRecorded, ...later.notRecorded],
    unkept: joinedCounts([...former.unkept, ...later.unkept], ({ name }) => name),
    truncated: later.truncated,
    ...((later.oldest ?? former.oldest) === undefined ? {} : { oldest: later.oldest ?? former.oldest }),
    ...(later.nextCursor === undefined ? {} : { nextCursor: later.nextCursor }),
  };
}

function joinedCounts<T extends { readonly calls: number }>(counts: readonly T[], keyOf: (count: T) => string): T[] {
  const byKey = new Map<string, T>();
  for (const count of counts) {
    const former = byKey.get(keyOf(count));
    byKey.set(keyOf(count), { ...count, calls: count.calls + (former?.calls ?? 0) });
  }
  return [...byKey.values()].sort((left, right) => right.calls - left.calls);
}
