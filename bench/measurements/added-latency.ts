import type { BenchRun } from '../bench-run.ts';
import { quantileUs } from '../histogram.ts';
import type { LoadReport } from '../load/order.ts';
import { CALLS_PER_SECOND } from '../plan.ts';
import { inRounds } from '../rounds.ts';
import { type Figure, figureOf } from '../statistics.ts';
import type { Variant } from '../variants/variant.ts';
import { type LoadFigures, loadFigures } from './load-figures.ts';

export interface AddedLatency {
  readonly bareForwarder: LoadFigures;
  readonly postern: LoadFigures;
  /** Postern's p50 less the bare forwarder's, of the same round. */
  readonly addedUs: Figure;
}

/**
 * Both at a pace that neither finds hard, calls measured from the time they were due. `between` runs once a round, too: what the
 * limit is made of is measured beside what it limits.
 */
export async function measureAddedLatency(
  run: BenchRun,
  pair: { readonly bareForwarder: Variant; readonly postern: Variant },
  between: () => Promise<void>,
  share: number,
): Promise<AddedLatency> {
  const { plan, say } = run;
  const { bareForwarder, postern } = pair;
  const contenders = [bareForwarder, postern, undefined];
  const windowMs = plan.windowMs(plan.rounds * contenders.length, share);
  const results = await inRounds(contenders, plan.rounds, async (variant, round) => {
    if (variant === undefined) return void (await between());
    const report = await run.measure(variant, { kind: 'open', callsPerSecond: CALLS_PER_SECOND }, windowMs);
    say(
      `latency at ${CALLS_PER_SECOND} calls/s, round ${round + 1} of ${plan.rounds}: ${variant.name} p50 ${Math.round(p50(report))} µs`,
    );
    return report;
  });
  const reportsOf = (variant: Variant) => (results.get(variant) ?? []).filter((report) => report !== undefined);
  const bare = reportsOf(bareForwarder);
  const whole = reportsOf(postern);
  return {
    bareForwarder: loadFigures(bare),
    postern: loadFigures(whole),
    addedUs: figureOf(whole.map((report, round) => p50(report) - p50(bare[round] ?? report))),
  };
}

function p50({ latencies }: LoadReport): number {
  return quantileUs(latencies, 0.5);
}
