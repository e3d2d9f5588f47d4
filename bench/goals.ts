import type { GrowthRow } from './measurements/growth.ts';
import { type BenchReport, type Ratios, ratiosOf, replayRatios, scrubbingRatios, storeRatios } from './report.ts';
import { differWithinSpread } from './statistics.ts';

/** A figure that the run must reach, with its unit in words. */
export interface Goal {
  readonly what: string;
  readonly measured: string;
  readonly limit: string;
  readonly isMet: boolean;
  /** What we would like; undefined when the limit is all we want. */
  readonly aim?: { readonly limit: string; readonly isMet: boolean };
}

/** Added to the p50 of a commit. */
const ADDED_US_MAX = 250;
const START_MS_MAX = 1_500;
const MEMORY_RATIO_MAX = 1.25;

/** Those whose measurements are in the report. */
export function judgeGoals(report: BenchReport): Goal[] {
  const ratios = ratiosOf(report.throughput);
  return [
    ...(ratios === undefined ? [] : throughputGoals(ratios)),
    ...decisionGoals(report),
    ...latencyGoals(report),
    ...growthGoals(report),
    ...scrubbingGoals(report),
    ...replayGoals(report),
    ...storeGoals(report),
    ...startGoals(report),
  ];
}

function decisionGoals({ decisions }: BenchReport): Goal[] {
  if (decisions === undefined) return [];
  const { conditionsOverBare, manyOverFew } = decisions.ratios;
  return [
    atMost('decision with 50 of 1,000 rules, conditions ÷ bare evaluations', conditionsOverBare, 1.5),
    atMost('decision with the same candidates, 10,000 rules ÷ 100', manyOverFew, 1.3),
  ];
}

function throughputGoals(ratios: Ratios): Goal[] {
  const { 'fastify-http-proxy': fastify, 'bare-forwarder': bare } = ratios;
  return [
    atLeast('requests/s, Postern ÷ fastify-http-proxy', fastify.requestsPerSecond, 1, 1.5),
    atLeast('requests/s, Postern ÷ bare forwarder', bare.requestsPerSecond, 0.6, 0.8),
    atLeast('calls for the same CPU, Postern ÷ fastify-http-proxy', 1 / fastify.cpuMicrosPerRequest, 1, 1.5),
    atLeast('calls for the same CPU, Postern ÷ bare forwarder', 1 / bare.cpuMicrosPerRequest, 0.6, 0.8),
    {
      what: 'peak memory, Postern ÷ bare forwarder',
      measured: bare.peakMemoryMb.toFixed(2),
      limit: `≤ ${MEMORY_RATIO_MAX}`,
      isMet: bare.peakMemoryMb <= MEMORY_RATIO_MAX,
    },
  ];
}

function atLeast(what: string, measured: number, limit: number, aim: number): Goal {
  return {
    what,
    measured: measured.toFixed(2),
    limit: `≥ ${limit.toFixed(1)}`,
    isMet: measured >= limit,
    aim: { limit: `≥ ${aim.toFixed(1)}`, isMet: measured >= aim },
  };
}

function latencyGoals({ latency, commit }: BenchReport): Goal[] {
  if (latency === undefined || commit === undefined) return [];
  const limitUs = ADDED_US_MAX + commit.oneByOne.p50Us.median;
  return [
    {
      what: 'p50 added over the bare forwarder at 500 calls/s, µs',
      measured: latency.addedUs.median.toFixed(0),
      limit: `≤ ${limitUs.toFixed(0)} (${ADDED_US_MAX} + p50 of a commit)`,
      isMet: latency.addedUs.median <= limitUs,
    },
  ];
}

function growthGoals({ growth }: BenchReport): Goal[] {
  if (growth === undefined) return [];
  return [
    unchanged('10,000 agents against 1', growth.manyAgents, growth.oneAgent),
    unchanged('1,000 rules against 1', growth.manyRules, growth.oneRule),
  ];
}

function scrubbingGoals({ scrubbing }: BenchReport): Goal[] {
  if (scrubbing === undefined) return [];
  const { small, large } = scrubbingRatios(scrubbing);
  return [
    atMost('CPU, answers of 1 KB searched ÷ not', small.cpuMicrosPerRequest, 1.05),
    atMost('CPU, answers of 10 MB searched ÷ not', large.cpuMicrosPerRequest, 1.25),
  ];
}

function replayGoals({ replay }: BenchReport): Goal[] {
  if (replay === undefined) return [];
  const { first, further } = replayRatios(replay);
  return [
    atMost('CPU, the first replay of a key ÷ the call it repeats', first.cpuMicrosPerRequest, 1),
    atMost('p50, the first replay of a key ÷ the call it repeats', first.p50Us, 1),
    atMost('CPU, a further replay ÷ the call it repeats', further.cpuMicrosPerRequest, 1),
    atMost('p50, a further replay ÷ the call it repeats', further.p50Us, 1),
  ];
}

function storeGoals({ stores }: BenchReport): Goal[] {
  if (stores === undefined) return [];
  const { plain, limited } = storeRatios(stores);
  return [
    atMost('CPU, PostgreSQL and Redis ÷ SQLite', plain.cpuMicrosPerRequest, 1.25),
    atMost('CPU, PostgreSQL and Redis ÷ SQLite, with a rate limit', limited.cpuMicrosPerRequest, 1.25),
    ...(stores.twoNodes === undefined ? [] : [atLeast('requests/s, two nodes ÷ one', stores.twoNodes, 1.7, 1.7)]),
  ];
}

function atMost(what: string, measured: number, limit: number): Goal {
  return { what, measured: measured.toFixed(3), limit: `≤ ${limit}`, isMet: measured <= limit };
}

function unchanged(what: string, many: GrowthRow, one: GrowthRow): Goal {
  const speed = many.requestsPerSecond.median / one.requestsPerSecond.median;
  const cost = many.cpuUs.median / one.cpuUs.median;
  // A median that improved is no difference that anybody minds.
  const isMet =
    (speed >= 1 || differWithinSpread(many.requestsPerSecond, one.requestsPerSecond)) &&
    (cost <= 1 || differWithinSpread(many.cpuUs, one.cpuUs));
  return {
    what,
    measured: `requests/s × ${speed.toFixed(2)}, CPU × ${cost.toFixed(2)}`,
    limit: 'within the spread of the rounds',
    isMet,
  };
}

function startGoals({ startMs }: BenchReport): Goal[] {
  if (startMs === undefined) return [];
  return [
    {
      what: 'start to ready, ms',
      measured: startMs.median.toFixed(0),
      limit: `≤ ${START_MS_MAX}`,
      isMet: startMs.median <= START_MS_MAX,
    },
  ];
}
