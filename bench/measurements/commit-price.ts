import { join } from 'node:path';
import { ask } from '../ask.ts';
import type { BenchRun } from '../bench-run.ts';
import { quantileUs } from '../histogram.ts';
import { CALLS_PER_SECOND, CONNECTIONS } from '../plan.ts';
import { type Figure, figureOf } from '../statistics.ts';
import type { CommitAnswer, CommitQuestion } from './commit-process.ts';

/** Intents through the journal's worker, one way of asking for them. */
export interface CommitFigures {
  readonly intentsPerSecond: Figure;
  readonly p50Us: Figure;
  readonly p99Us: Figure;
  readonly entriesPerCommit: Figure;
  readonly mainUs: Figure;
  readonly workerUs: Figure;
}

export interface CommitPrice {
  /** The next as soon as one is durable. */
  readonly oneByOne: CommitFigures;
  /** One at a time at the open loop's pace: the threads fall asleep in between. */
  readonly paced: CommitFigures;
  /** As many callers at once as the closed loop has connections. */
  readonly together: CommitFigures;
}

export interface CommitMeter {
  /** One round of all three. */
  measureRound(): Promise<void>;
  figures(): CommitPrice;
}

const ANSWER_WITHIN_MS = 30_000;

/** Starts a process with a journal on a database of its own and warms it up. A round takes about `roundMs`. */
export async function startCommitMeter({ surroundings, say }: BenchRun, roundMs: number): Promise<CommitMeter> {
  const { workplace } = surroundings;
  const { child } = await workplace.start({
    name: 'commit',
    command: process.execPath,
    arguments: [new URL('./commit-process.ts', import.meta.url).pathname],
    environment: { COMMIT_FILE: join(workplace.folder, 'commit.db') },
    ready: /^ready$/,
    hasMessages: true,
  });
  const everyMs = 1_000 / CALLS_PER_SECOND;
  const partMs = roundMs / 3;
  const questions: Readonly<Record<keyof CommitPrice, CommitQuestion>> = {
    // Half a millisecond each, as a guess; slower disks take longer for their round.
    oneByOne: { kind: 'apart', intents: Math.ceil(partMs * 2), everyMs: 0 },
    paced: { kind: 'apart', intents: Math.ceil(partMs / everyMs), everyMs },
    together: { kind: 'together', callers: CONNECTIONS, forMs: partMs },
  };
  const answers: Record<keyof CommitPrice, CommitAnswer[]> = { oneByOne: [], paced: [], together: [] };
  const put = (question: CommitQuestion) => ask<CommitAnswer>(child, question, ANSWER_WITHIN_MS);
  await put({ kind: 'together', callers: CONNECTIONS, forMs: 300 });
  await put({ kind: 'apart', intents: 300, everyMs: 0 });

  return {
    async measureRound() {
      for (const kind of ['oneByOne', 'paced', 'together'] as const) answers[kind].push(await put(questions[kind]));
      say(`commit alone: p50 ${Math.round(quantileUs(answers.oneByOne.at(-1)?.latencies ?? [], 0.5))} µs`);
    },
    figures: () => ({
      oneByOne: figuresOf(answers.oneByOne),
      paced: figuresOf(answers.paced),
      together: figuresOf(answers.together),
    }),
  };
}

function figuresOf(answers: readonly CommitAnswer[]): CommitFigures {
  const over = (value: (answer: CommitAnswer) => number) => figureOf(answers.map(value));
  return {
    intentsPerSecond: over(({ intents, seconds }) => intents / seconds),
    p50Us: over(({ latencies }) => quantileUs(latencies, 0.5)),
    p99Us: over(({ latencies }) => quantileUs(latencies, 0.99)),
    entriesPerCommit: over(({ entriesPerCommit }) => entriesPerCommit),
    mainUs: over(({ mainUs }) => mainUs),
    workerUs: over(({ workerUs }) => workerUs),
  };
}
