import type { BenchRun } from '../bench-run.ts';
import { readPeakMemoryMb } from '../measure-process.ts';
import { inRounds } from '../rounds.ts';
import type { Variant, VariantName } from '../variants/variant.ts';
import { callsPerSecond, type LoadFigures, loadFigures } from './load-figures.ts';

export interface ThroughputRow extends LoadFigures {
  readonly name: VariantName;
  readonly peakMemoryMb: number;
}

/** Every variant with all connections busy all the time. */
export async function measureThroughput(
  run: BenchRun,
  variants: readonly Variant[],
  share: number,
): Promise<ThroughputRow[]> {
  const { plan, say } = run;
  for (const variant of variants) {
    say(`warming up ${variant.name}`);
    await run.warmUp(variant);
  }
  const windowMs = plan.windowMs(plan.rounds * variants.length, share);
  const results = await inRounds(variants, plan.rounds, async (variant, round) => {
    const report = await run.measure(variant, { kind: 'closed' }, windowMs);
    say(`throughput, round ${round + 1} of ${plan.rounds}: ${variant.name} ${callsPerSecond(report)}`);
    return report;
  });
  return [...results].map(([variant, reports]) => ({
    name: variant.name,
    ...loadFigures(reports),
    peakMemoryMb: readPeakMemoryMb(variant.processId),
  }));
}
