import type { Goal } from './goals.ts';
import { markdownTable } from './markdown-table.ts';
import type { CommitFigures } from './measurements/commit-price.ts';
import { CONTENDERS, type Contender } from './measurements/decisions.ts';
import { type GrowthRow, sizeText } from './measurements/growth.ts';
import type { LoadFigures } from './measurements/load-figures.ts';
import type { ThroughputRow } from './measurements/throughput.ts';
import { CALLS_PER_SECOND, CONNECTIONS } from './plan.ts';
import { type BenchReport, ratiosOf, recordingRatios, replayRatios, scrubbingRatios } from './report.ts';
import type { Figure } from './statistics.ts';
import { VARIANT_NAMES } from './variants/variant.ts';

/** The whole report as Markdown. */
export function reportText(report: BenchReport, goals: readonly Goal[]): string {
  const sections = [
    introduction(report),
    ...(report.throughput === undefined ? [] : [throughputSection(report.throughput)]),
    ...latencySection(report),
    ...(report.growth === undefined ? [] : [growthSection(Object.values(report.growth))]),
    ...scrubbingSection(report),
    ...replaySection(report),
    ...storesSection(report),
    ...commitSection(report),
    ...startSection(report),
    ...decisionSection(report),
    ...(goals.length === 0 ? [] : [goalsSection(goals)]),
  ];
  return `${sections.join('\n\n')}\n`;
}

function introduction({ machine, rounds, date, isQuick, loadBefore }: BenchReport): string {
  const { cpu, cores, memoryMb, kernel, architecture, node, filesystem } = machine;
  return `# What Postern costs

${isQuick ? 'A quick run' : 'A run'} of ${rounds} interleaved rounds on ${date}: ${cpu}, ${cores} cores (${architecture}), ${Math.round(memoryMb / 1_024)} GiB, ${kernel},
Node ${node}, databases on ${filesystem}, load average before ${loadBefore.toFixed(2)}. Upstream, load generator and the measured program share the
cores, so only ratios within one run mean anything. Calls are POSTs of 1 KB JSON over loopback, answered with 1 KB. Figures are
medians of the rounds, [least..most].`;
}

function throughputSection(rows: readonly ThroughputRow[]): string {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const table = markdownTable(
    ['variant', 'requests/s', 'CPU µs/call', 'main', 'worker', 'other', 'p50 µs', 'p99 µs', 'peak MiB', 'generator'],
    VARIANT_NAMES.flatMap((name) => {
      const row = byName.get(name);
      if (row !== undefined) return [throughputCells(row)];
      return name === 'nginx' ? [[name, 'not installed']] : [];
    }),
  );
  return `## All connections busy (${CONNECTIONS})

${table}

main: the event loop's thread; worker: the database's threads; other: V8's and libuv's. The row \`direct\` shows the upstream's own CPU and
memory. Generator: the share of a core that the load generator used.${ratioTable(rows)}${recordingSentence(rows)}`;
}

function throughputCells(row: ThroughputRow): string[] {
  const { name, requestsPerSecond, cpuUs, mainUs, workerUs, p50Us, p99Us, peakMemoryMb, generatorBusy } = row;
  const other = cpuUs.median - mainUs.median - workerUs.median;
  return [
    name,
    spread(requestsPerSecond),
    spread(cpuUs),
    whole(mainUs.median),
    whole(workerUs.median),
    whole(Math.max(0, other)),
    spread(p50Us),
    spread(p99Us),
    whole(peakMemoryMb),
    `${whole(generatorBusy.median * 100)} %`,
  ];
}

function ratioTable(rows: readonly ThroughputRow[]): string {
  const ratios = ratiosOf(rows);
  if (ratios === undefined) return '';
  const table = markdownTable(
    ['Postern ÷', 'requests/s', 'CPU/call', 'p50', 'p99', 'peak memory'],
    Object.entries(ratios).map(([name, ratio]) => [
      name,
      ratio.requestsPerSecond.toFixed(2),
      ratio.cpuMicrosPerRequest.toFixed(2),
      ratio.p50Us.toFixed(2),
      ratio.p99Us.toFixed(2),
      ratio.peakMemoryMb.toFixed(2),
    ]),
  );
  return `\n\n${table}`;
}

function recordingSentence(rows: readonly ThroughputRow[]): string {
  const ratios = recordingRatios(rows);
  if (ratios === undefined) return '';
  const { requestsPerSecond, cpuMicrosPerRequest } = ratios;
  return `

The recording forwarder is the bare one with a durable intent before each call and an outcome after it, by Postern's journal, and nothing else
of Postern's. Recording alone leaves ${requestsPerSecond.toFixed(2)} of the bare forwarder's requests/s at ${cpuMicrosPerRequest.toFixed(2)} times its CPU.`;
}

function latencySection({ latency }: BenchReport): string[] {
  if (latency === undefined) return [];
  const cells = ({ p50Us, p99Us, cpuUs }: LoadFigures) => [spread(p50Us), spread(p99Us), spread(cpuUs)];
  const table = markdownTable(
    ['variant', 'p50 µs', 'p99 µs', 'CPU µs/call'],
    [
      ['bare-forwarder', ...cells(latency.bareForwarder)],
      ['postern', ...cells(latency.postern)],
      ['added', spread(latency.addedUs)],
    ],
  );
  return [`## Latency at ${CALLS_PER_SECOND} calls/s, measured from the time each call was due\n\n${table}`];
}

function growthSection(rows: readonly GrowthRow[]): string {
  const table = markdownTable(
    ['Postern with', 'requests/s', 'CPU µs/call', 'p50 µs', 'p99 µs', 'peak MiB'],
    rows.map(({ size, requestsPerSecond, cpuUs, p50Us, p99Us, peakMemoryMb }) => [
      sizeText(size),
      spread(requestsPerSecond),
      spread(cpuUs),
      spread(p50Us),
      spread(p99Us),
      whole(peakMemoryMb),
    ]),
  );
  return `## Growth: agents and rules\n\n${table}\n\nCalls are spread over the agents' keys, each of which has been used before.`;
}

function scrubbingSection({ scrubbing }: BenchReport): string[] {
  if (scrubbing === undefined) return [];
  const cells = ({ requestsPerSecond, cpuUs, p50Us }: LoadFigures) => [
    spread(requestsPerSecond),
    spread(cpuUs),
    spread(p50Us),
  ];
  const table = markdownTable(
    ['Postern, answers of', 'requests/s', 'CPU µs/call', 'p50 µs'],
    [
      ['1 KB, searched', ...cells(scrubbing.smallSearched)],
      ['1 KB, not searched', ...cells(scrubbing.smallUnsearched)],
      ['10 MB, searched', ...cells(scrubbing.largeSearched)],
      ['10 MB, not searched', ...cells(scrubbing.largeUnsearched)],
    ],
  );
  const ratios = markdownTable(
    ['searched ÷ not', 'requests/s', 'CPU/call', 'p50'],
    Object.entries(scrubbingRatios(scrubbing)).map(([name, ratio]) => [
      name === 'small' ? '1 KB' : '10 MB',
      ratio.requestsPerSecond.toFixed(3),
      ratio.cpuMicrosPerRequest.toFixed(3),
      ratio.p50Us.toFixed(3),
    ]),
  );
  return [
    `## Scrubbing: answers searched for the injected credential, and with \`scrub: false\`\n\n${table}\n\n${ratios}`,
  ];
}

function replaySection({ replay }: BenchReport): string[] {
  if (replay === undefined) return [];
  const cells = ({ requestsPerSecond, cpuUs, mainUs, p50Us, p99Us }: LoadFigures) =>
    [requestsPerSecond, cpuUs, mainUs, p50Us, p99Us].map(spread);
  const table = markdownTable(
    ['Postern', 'requests/s', 'CPU µs/call', 'event loop µs/call', 'p50 µs', 'p99 µs'],
    [
      ['call without a key', ...cells(replay.keyless)],
      ['first call of a key', ...cells(replay.forwarded)],
      ['first replay of each key', ...cells(replay.replayed)],
      ['one key, over and over', ...cells(replay.repeated)],
    ],
  );
  const { first, further, overKeyless } = replayRatios(replay);
  const told = ({ cpuMicrosPerRequest, p50Us }: typeof first) =>
    `CPU ${cpuMicrosPerRequest.toFixed(3)}, p50 ${p50Us.toFixed(3)}`;
  return [
    `## Replay: calls with an idempotency key, sent on and answered from the store\n\n${table}\n\nThe first replay of a key ÷ the call it repeats: ${told(first)}. A further one: ${told(further)}; ÷ a call without a key: ${told(overKeyless)}.`,
  ];
}

function storesSection({ stores }: BenchReport): string[] {
  if (stores === undefined) return [];
  const cells = ({ requestsPerSecond, cpuUs, mainUs, workerUs, serversUs, p50Us, p99Us }: LoadFigures) =>
    [requestsPerSecond, cpuUs, mainUs, workerUs, serversUs, p50Us, p99Us].map(spread);
  const table = markdownTable(
    ['Postern on', 'requests/s', 'CPU µs/call', 'event loop', 'worker', 'servers', 'p50 µs', 'p99 µs'],
    [
      ['SQLite', ...cells(stores.sqlite)],
      ['PostgreSQL and Redis', ...cells(stores.postgres)],
      ['SQLite, with a rate limit', ...cells(stores.sqliteLimited)],
      ['PostgreSQL and Redis, with a rate limit', ...cells(stores.postgresLimited)],
    ],
  );
  const { plain, limited } = stores.cpuRatios;
  const told = ({ median, min, max }: Figure) => `${median.toFixed(3)} [${min.toFixed(2)}..${max.toFixed(2)}]`;
  const twoNodes =
    stores.twoNodes === undefined
      ? `Two nodes were not measured: there are ${stores.cores} cores, and it takes four`
      : `Two nodes on one database serve ${stores.twoNodes.toFixed(2)} times what one serves, on ${stores.cores} cores`;
  return [
    `## Stores: one node on SQLite, and on PostgreSQL and Redis\n\n${table}\n\nCPU of the program on PostgreSQL and Redis ÷ on SQLite, median of the rounds' ratios: ${told(plain)}, with a rate limit ${told(limited)}. Servers: the processes of PostgreSQL and Redis, which are not in it. ${twoNodes}.`,
  ];
}

function commitSection({ commit }: BenchReport): string[] {
  if (commit === undefined) return [];
  const cells = ({ intentsPerSecond, p50Us, p99Us, entriesPerCommit, mainUs, workerUs }: CommitFigures) => [
    spread(p50Us),
    spread(p99Us),
    spread(intentsPerSecond),
    whole(1e6 / intentsPerSecond.median),
    entriesPerCommit.median.toFixed(1),
    whole(mainUs.median),
    whole(workerUs.median),
  ];
  const table = markdownTable(
    ['durable intents', 'p50 µs', 'p99 µs', 'intents/s', 'µs/intent', 'entries/commit', 'main CPU µs', 'worker CPU µs'],
    [
      ['one after the other', ...cells(commit.oneByOne)],
      [`one at a time, ${CALLS_PER_SECOND}/s`, ...cells(commit.paced)],
      [`${CONNECTIONS} callers at once`, ...cells(commit.together)],
    ],
  );
  return [
    `## The price of the commit alone (SQLite in its worker, \`synchronous=FULL\`, an outcome to each intent)\n\n${table}`,
  ];
}

function startSection({ startMs }: BenchReport): string[] {
  if (startMs === undefined) return [];
  return [
    `## Start to ready\n\n${spread(startMs)} ms from \`node apps/gateway/src/main.ts\` to the ready line, on a new data folder.`,
  ];
}

function decisionSection({ decisions }: BenchReport): string[] {
  if (decisions === undefined) return [];
  const { micros, ratios } = decisions;
  const table = markdownTable(
    ['µs a decision', 'median', 'rounds'],
    (Object.keys(CONTENDERS) as Contender[]).map((name) => [CONTENDERS[name], ...hundredths(micros[name])]),
  );
  const compared = markdownTable(
    ['of the medians', ''],
    [
      ['50 conditions ÷ 50 bare evaluations', ratios.conditionsOverBare.toFixed(2)],
      ['10,000 rules ÷ 100', ratios.manyOverFew.toFixed(2)],
      ['Cedar ÷ Postern, with conditions', ratios.cedarOverConditions.toFixed(0)],
    ],
  );
  return [`## The decision alone, in a process that does nothing else\n\n${table}\n\n${compared}`];
}

function hundredths({ median, min, max }: Figure): [string, string] {
  return [median.toFixed(2), `${min.toFixed(2)}..${max.toFixed(2)}`];
}

function goalsSection(goals: readonly Goal[]): string {
  const table = markdownTable(
    ['goal', 'measured', 'limit', 'verdict', 'aim', 'aim met'],
    goals.map(({ what, measured, limit, isMet, aim }) => [
      what,
      measured,
      limit,
      isMet ? 'met' : 'MISSED',
      aim?.limit ?? '',
      aim === undefined ? '' : aim.isMet ? 'yes' : 'no',
    ]),
  );
  return `## Goals\n\n${table}`;
}

function spread({ median, min, max }: Figure): string {
  return `${whole(median)} [${whole(min)}..${whole(max)}]`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
