import type { BenchRun } from '../bench-run.ts';
import { runLargeCalls } from '../load/large-calls.ts';
import { readPeakMemoryMb } from '../measure-process.ts';
import { LARGE_PATH } from '../message-bodies.ts';
import { inRounds } from '../rounds.ts';
import { startPostern, USUAL_SIZE } from '../variants/postern.ts';
import { CALL_PATH, type Variant } from '../variants/variant.ts';
import { callsPerSecond, type LoadFigures, loadFigures } from './load-figures.ts';

export interface ScrubbingRow extends LoadFigures {
  readonly peakMemoryMb: number;
}

/** The same answers, searched for the injected credential and with `scrub: false`. */
export interface Scrubbing {
  readonly smallSearched: ScrubbingRow;
  readonly smallUnsearched: ScrubbingRow;
  readonly largeSearched: ScrubbingRow;
  readonly largeUnsearched: ScrubbingRow;
}

interface Contender {
  readonly key: keyof Scrubbing;
  readonly variant: Variant;
  readonly isLarge: boolean;
}

/**
 * What is measured is the price on answers that hold nothing, as nearly all do. Both integrations are of one process: two that run the same
 * program differ by more than the search costs.
 */
export async function measureScrubbing(run: BenchRun, share: number): Promise<Scrubbing> {
  const { plan, say } = run;
  say('starting and warming up Postern with an integration whose answers are searched and one whose are not');
  const searched = await startPostern(
    run.surroundings,
    { ...USUAL_SIZE, hasUnsearchedTwin: true },
    'postern-scrubbing',
  );
  const unsearched = { ...searched, path: searched.path.replace('/to/upstream/', '/to/unsearched/') };
  for (const variant of [searched, unsearched]) await run.warmUp(variant);
  const contenders: Contender[] = [
    { key: 'smallSearched', variant: searched, isLarge: false },
    { key: 'smallUnsearched', variant: unsearched, isLarge: false },
    { key: 'largeSearched', variant: withLargeAnswers(searched), isLarge: true },
    { key: 'largeUnsearched', variant: withLargeAnswers(unsearched), isLarge: true },
  ];
  const windowMs = plan.windowMs(plan.rounds * contenders.length, share);
  const results = await inRounds(contenders, plan.rounds, async ({ key, variant, isLarge }, round) => {
    const load = { leadMs: plan.leadMs, windowMs };
    const report = isLarge
      ? await runLargeCalls(variant, load)
      : await run.measure(variant, { kind: 'closed' }, windowMs);
    say(`scrubbing, round ${round + 1} of ${plan.rounds}: ${key} ${callsPerSecond(report)}`);
    return report;
  });
  const rows = [...results].map(([{ key, variant }, reports]) => [
    key,
    { ...loadFigures(reports), peakMemoryMb: readPeakMemoryMb(variant.processId) },
  ]);
  return Object.fromEntries(rows) as Record<keyof Scrubbing, ScrubbingRow>;
}

function withLargeAnswers(variant: Variant): Variant {
  return { ...variant, path: variant.path.replace(CALL_PATH, LARGE_PATH) };
}
