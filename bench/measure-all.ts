import type { TableName } from './arguments.ts';
import { type BenchRun, startBenchRun } from './bench-run.ts';
import { describeMachine, loadAverage } from './machine.ts';
import { type AddedLatency, measureAddedLatency } from './measurements/added-latency.ts';
import { type CommitMeter, startCommitMeter } from './measurements/commit-price.ts';
import { type Decisions, measureDecisions } from './measurements/decisions.ts';
import { measureGrowth } from './measurements/growth.ts';
import { measureReplay } from './measurements/replay.ts';
import { measureScrubbing } from './measurements/scrubbing.ts';
import { measureStartToReady } from './measurements/start-to-ready.ts';
import { measureStores } from './measurements/stores.ts';
import { measureThroughput } from './measurements/throughput.ts';
import type { Plan } from './plan.ts';
import type { BenchReport } from './report.ts';
import { direct } from './variants/direct.ts';
import { startNginx } from './variants/nginx.ts';
import { startPostern, USUAL_SIZE } from './variants/postern.ts';
import { type Surroundings, startServer, type Variant } from './variants/variant.ts';
import type { Workplace } from './workplace.ts';

export interface MeasureOptions {
  readonly workplace: Workplace;
  readonly plan: Plan;
  readonly isQuick: boolean;
  readonly only: ReadonlySet<TableName>;
  readonly say: (line: string) => void;
}

/** Shares of the time left that a quick run gives to a table; the last one gets all that is left then. */
const SHARES = { throughput: 0.35, latency: 0.3, scrubbing: 1, replay: 1, stores: 1, growth: 1 };

/** Measures table after table; what needs no other program comes before they are started. */
export async function measureAll(options: MeasureOptions): Promise<BenchReport> {
  const { workplace, plan, isQuick, only, say } = options;
  const loadBefore = loadAverage();
  const decisions = await decisionsIfAsked(options);
  const isRest = [...only].some((table) => table !== 'decisions');
  if (isRest) say('starting the programs');
  const tables = isRest ? await measurePrograms(options) : {};
  return {
    machine: describeMachine(workplace.folder),
    rounds: plan.rounds,
    date: new Date().toISOString().slice(0, 10),
    isQuick,
    loadBefore,
    ...(decisions === undefined ? {} : { decisions }),
    ...tables,
  };
}

async function decisionsIfAsked({ plan, only, say }: MeasureOptions): Promise<Decisions | undefined> {
  if (!only.has('decisions')) return undefined;
  say('decisions');
  return await measureDecisions(plan);
}

type Tables = Omit<BenchReport, 'machine' | 'rounds' | 'date' | 'isQuick' | 'loadBefore' | 'decisions'>;

/** Starts everything. What was started ends with the workplace. */
async function measurePrograms({ workplace, plan, isQuick, only, say }: MeasureOptions): Promise<Tables> {
  const run = await startBenchRun(workplace, plan, say);
  const variants = await startVariants(run.surroundings, !isQuick && only.has('throughput'));
  const meter = only.has('latency') || only.has('commit') ? await startCommitMeter(run, plan.commitRoundMs) : undefined;
  const throughput = only.has('throughput')
    ? await measureThroughput(run, Object.values(variants).filter(isThere), SHARES.throughput)
    : undefined;
  const latency = await measureLatencyAndCommit(run, variants, only, meter);
  const startMs = only.has('start') ? await measureStartToReady(run) : undefined;
  // Answers of 10 MB are no load for a minute.
  const scrubbing = only.has('scrubbing') && !isQuick ? await measureScrubbing(run, SHARES.scrubbing) : undefined;
  const replay = only.has('replay') && !isQuick ? await measureReplay(run, variants.postern, SHARES.replay) : undefined;
  const stores = only.has('stores') && !isQuick ? await measureStores(run, SHARES.stores) : undefined;
  const growth = only.has('growth') ? await growthOrFailure(run, variants.postern) : {};
  return {
    ...(throughput === undefined ? {} : { throughput }),
    ...(latency === undefined ? {} : { latency }),
    ...(meter === undefined ? {} : { commit: meter.figures() }),
    ...(startMs === undefined ? {} : { startMs }),
    ...(scrubbing === undefined ? {} : { scrubbing }),
    ...(replay === undefined ? {} : { replay }),
    ...(stores === undefined ? {} : { stores }),
    ...growth,
  };
}

/** It comes last and starts large programs of its own: when one of them fails, minutes of good measurements lie behind. */
async function growthOrFailure(run: BenchRun, usual: Variant): Promise<Pick<BenchReport, 'growth' | 'failure'>> {
  try {
    return { growth: await measureGrowth(run, usual, SHARES.growth) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

interface Variants {
  readonly direct: Variant;
  readonly nginx: Variant | undefined;
  readonly fastify: Variant;
  readonly bareForwarder: Variant;
  readonly recordingForwarder: Variant | undefined;
  readonly postern: Variant;
}

async function startVariants(surroundings: Surroundings, withRecording: boolean): Promise<Variants> {
  const [nginx, fastify, bareForwarder, recordingForwarder, postern] = await Promise.all([
    startNginx(surroundings),
    startServer(surroundings, 'fastify-http-proxy'),
    startServer(surroundings, 'bare-forwarder'),
    withRecording ? startServer(surroundings, 'recording-forwarder') : undefined,
    startPostern(surroundings, USUAL_SIZE, 'postern'),
  ]);
  return { direct: direct(surroundings), nginx, fastify, bareForwarder, recordingForwarder, postern };
}

function isThere(variant: Variant | undefined): variant is Variant {
  return variant !== undefined;
}

/** The commit's rounds lie between those of the latency it limits; asked for alone it has rounds of its own. */
async function measureLatencyAndCommit(
  run: BenchRun,
  { bareForwarder, postern }: Variants,
  only: ReadonlySet<TableName>,
  meter: CommitMeter | undefined,
): Promise<AddedLatency | undefined> {
  if (meter === undefined) return undefined;
  if (!only.has('latency')) {
    for (let round = 0; round < run.plan.rounds; round += 1) await meter.measureRound();
    return undefined;
  }
  if (!only.has('throughput')) for (const variant of [bareForwarder, postern]) await run.warmUp(variant);
  return measureAddedLatency(run, { bareForwarder, postern }, meter.measureRound, SHARES.latency);
}
