import type { FilledStore, Question } from './questions.fixture.ts';

/** Milliseconds. */
export interface Measured {
  readonly name: string;
  readonly small: number;
  readonly large: number;
}

/**
 * Medians of `rounds` turns. Each question is asked of the one store and then of the other, so that what else the machine does meets both. In
 * a turn it is asked some times, and the quickest answer counts: that is the work, the others are the work and what came between.
 */
export async function measure(
  questions: readonly Question[],
  stores: { readonly small: FilledStore; readonly large: FilledStore },
  rounds: number,
): Promise<readonly Measured[]> {
  const times = questions.map(() => ({ small: [] as number[], large: [] as number[] }));
  for (let turn = -WARM_ROUNDS; turn < rounds; turn++) {
    for (const [index, question] of questions.entries()) {
      for (const which of turn % 2 === 0 ? (['small', 'large'] as const) : (['large', 'small'] as const)) {
        let quickest = Number.POSITIVE_INFINITY;
        for (let asked = 0; asked < ASKED_IN_A_TURN; asked++) {
          const begin = performance.now();
          await question.ask(stores[which], turn + WARM_ROUNDS);
          quickest = Math.min(quickest, performance.now() - begin);
        }
        if (turn >= 0) times[index]?.[which].push(quickest);
      }
    }
  }
  return questions.map(({ name }, index) => ({
    name,
    small: median(times[index]?.small ?? []),
    large: median(times[index]?.large ?? []),
  }));
}

const ASKED_IN_A_TURN = 3;
/** Turns that do not count: statements are prepared in them. */
const WARM_ROUNDS = 2;

function median(times: readonly number[]): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
