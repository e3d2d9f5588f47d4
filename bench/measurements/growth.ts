import type { BenchRun } from '../bench-run.ts';
import { readPeakMemoryMb } from '../measure-process.ts';
import { inRounds } from '../rounds.ts';
import { startPostern, USUAL_SIZE } from '../variants/postern.ts';
import type { PosternSize } from '../variants/postern-config.ts';
import type { Variant } from '../variants/variant.ts';
import { callsPerSecond, type LoadFigures, loadFigures } from './load-figures.ts';

export interface GrowthRow extends LoadFigures {
  readonly size: PosternSize;
  readonly peakMemoryMb: number;
}

export interface Growth {
  readonly oneAgent: GrowthRow;
  readonly manyAgents: GrowthRow;
  readonly oneRule: GrowthRow;
  readonly manyRules: GrowthRow;
}

const SIZES: Readonly<Record<keyof Growth, PosternSize>> = {
  oneAgent: USUAL_SIZE,
  manyAgents: { ...USUAL_SIZE, agents: 10_000 },
  oneRule: { ...USUAL_SIZE, rules: 1 },
  manyRules: { ...USUAL_SIZE, rules: 1_000 },
};

interface Sized {
  readonly key: keyof Growth;
  readonly variant: Variant;
}

/** Postern in four sizes, calls spread over the keys of its agents. The usual one runs already. */
export async function measureGrowth(run: BenchRun, usual: Variant, share: number): Promise<Growth> {
  const { plan, say } = run;
  const sizes = Object.entries(SIZES) as [keyof Growth, PosternSize][];
  say('starting Postern in the other sizes');
  const contenders: Sized[] = await Promise.all(
    sizes.map(async ([key, size]) => ({
      key,
      variant: key === 'oneAgent' ? usual : await startPostern(run.surroundings, size, `postern-${key}`),
    })),
  );
  for (const { key, variant } of contenders) {
    say(`warming up Postern with ${sizeText(SIZES[key])}`);
    await run.warmUp(variant);
  }
  const windowMs = plan.windowMs(plan.rounds * contenders.length, share);
  const results = await inRounds(contenders, plan.rounds, async ({ key, variant }, round) => {
    const report = await run.measure(variant, { kind: 'closed' }, windowMs);
    say(`growth, round ${round + 1} of ${plan.rounds}: ${sizeText(SIZES[key])} ${callsPerSecond(report)}`);
    return report;
  });
  const rows = [...results].map(([{ key, variant }, reports]) => [
    key,
    { size: SIZES[key], ...loadFigures(reports), peakMemoryMb: readPeakMemoryMb(variant.processId) },
  ]);
  return Object.fromEntries(rows) as Record<keyof Growth, GrowthRow>;
}

export function sizeText({ agents, rules }: PosternSize): string {
  return `${counted(agents, 'agent')}, ${counted(rules, 'rule')}`;
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
