import type { Machine } from './machine.ts';
import type { AddedLatency } from './measurements/added-latency.ts';
import type { CommitPrice } from './measurements/commit-price.ts';
import type { Decisions } from './measurements/decisions.ts';
import type { Growth } from './measurements/growth.ts';
import type { Replay } from './measurements/replay.ts';
import type { Scrubbing, ScrubbingRow } from './measurements/scrubbing.ts';
import type { StoreRow, Stores } from './measurements/stores.ts';
import type { ThroughputRow } from './measurements/throughput.ts';
import type { Figure } from './statistics.ts';

/** All that one run has measured. A part is absent when it was not asked for. */
export interface BenchReport {
  readonly machine: Machine;
  readonly rounds: number;
  /** When the run began, as a date. */
  readonly date: string;
  readonly isQuick: boolean;
  /** Load average of the minute before: work of others is measured, too. */
  readonly loadBefore: number;
  readonly decisions?: Decisions;
  readonly throughput?: readonly ThroughputRow[];
  readonly latency?: AddedLatency;
  readonly commit?: CommitPrice;
  readonly startMs?: Figure;
  readonly growth?: Growth;
  readonly scrubbing?: Scrubbing;
  readonly replay?: Replay;
  readonly stores?: Stores;
  /** Why the last table is missing. The run counts as failed, and what was measured before is not lost. */
  readonly failure?: string;
}

/** The document of `--json`: the first three members are its contract. */
export interface BenchDocument {
  readonly machine: Machine;
  readonly results: readonly ResultRow[];
  /** Keys such as `postern/bare-forwarder`; each member is the quotient of the two rows' members. */
  readonly ratios: Readonly<Record<string, Omit<ResultRow, 'name'>>>;
  readonly [further: string]: unknown;
}

/** Medians of the rounds with all connections busy. A variant that was not there has no row. */
export interface ResultRow {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly peakMemoryMb: number;
}

export function resultRow(row: ScrubbingRow & { readonly name: string }): ResultRow {
  return {
    name: row.name,
    requestsPerSecond: row.requestsPerSecond.median,
    cpuMicrosPerRequest: row.cpuUs.median,
    p50Us: row.p50Us.median,
    p99Us: row.p99Us.median,
    peakMemoryMb: row.peakMemoryMb,
  };
}

/** What Postern is held against. */
export const YARDSTICKS = ['fastify-http-proxy', 'bare-forwarder'] as const;
export type Ratios = Readonly<Record<(typeof YARDSTICKS)[number], Omit<ResultRow, 'name'>>>;

/** Postern's figures divided by each yardstick's; undefined when one of the rows is missing. */
export function ratiosOf(throughput: readonly ThroughputRow[] | undefined): Ratios | undefined {
  const rows = new Map(throughput?.map((row) => [row.name, resultRow(row)]));
  const [postern, fastify, bare] = [rows.get('postern'), rows.get('fastify-http-proxy'), rows.get('bare-forwarder')];
  if (postern === undefined || fastify === undefined || bare === undefined) return undefined;
  return { 'fastify-http-proxy': divided(postern, fastify), 'bare-forwarder': divided(postern, bare) };
}

/** What a durable record of each call leaves of the bare forwarder's figures; undefined in a quick run. */
export function recordingRatios(throughput: readonly ThroughputRow[] | undefined): Omit<ResultRow, 'name'> | undefined {
  const rows = new Map(throughput?.map((row) => [row.name, resultRow(row)]));
  const [recording, bare] = [rows.get('recording-forwarder'), rows.get('bare-forwarder')];
  return recording === undefined || bare === undefined ? undefined : divided(recording, bare);
}

/** What searching costs on answers of 1 KB and of 10 MB: the figures with it divided by those without. */
export function scrubbingRatios(scrubbing: Scrubbing): Readonly<Record<'small' | 'large', Omit<ResultRow, 'name'>>> {
  const rows = scrubbingRows(scrubbing);
  return {
    small: divided(rows.smallSearched, rows.smallUnsearched),
    large: divided(rows.largeSearched, rows.largeUnsearched),
  };
}

function scrubbingRows(scrubbing: Scrubbing): Readonly<Record<keyof Scrubbing, ResultRow>> {
  return {
    smallSearched: resultRow({ ...scrubbing.smallSearched, name: 'postern-searched-1kb' }),
    smallUnsearched: resultRow({ ...scrubbing.smallUnsearched, name: 'postern-unsearched-1kb' }),
    largeSearched: resultRow({ ...scrubbing.largeSearched, name: 'postern-searched-10mb' }),
    largeUnsearched: resultRow({ ...scrubbing.largeUnsearched, name: 'postern-unsearched-10mb' }),
  };
}

/** What replays cost, the first of a key and further ones: divided by the call that they repeat, and by a call without a key. */
export function replayRatios(replay: Replay): Record<'first' | 'further' | 'overKeyless', Omit<ResultRow, 'name'>> {
  const rows = replayRows(replay);
  return {
    first: divided(rows.replayed, rows.forwarded),
    further: divided(rows.repeated, rows.forwarded),
    overKeyless: divided(rows.repeated, rows.keyless),
  };
}

function replayRows({ keyless, forwarded, replayed, repeated }: Replay): Readonly<Record<keyof Replay, ResultRow>> {
  return {
    keyless: resultRow({ ...keyless, name: 'postern-keyless' }),
    forwarded: resultRow({ ...forwarded, name: 'postern-first-of-key' }),
    replayed: resultRow({ ...replayed, name: 'postern-replayed' }),
    repeated: resultRow({ ...repeated, name: 'postern-replayed-again' }),
  };
}

/** What PostgreSQL and Redis cost: a call's figures on them divided by those on SQLite. */
export function storeRatios(stores: Stores): Record<'plain' | 'limited', Omit<ResultRow, 'name'>> {
  const row = (figures: StoreRow) => resultRow({ ...figures, name: '' });
  const { plain, limited } = stores.cpuRatios;
  return {
    plain: { ...divided(row(stores.postgres), row(stores.sqlite)), cpuMicrosPerRequest: plain.median },
    limited: {
      ...divided(row(stores.postgresLimited), row(stores.sqliteLimited)),
      cpuMicrosPerRequest: limited.median,
    },
  };
}

function storeRows({ sqlite, postgres, sqliteLimited, postgresLimited }: Stores): ResultRow[] {
  return [
    resultRow({ ...sqlite, name: 'postern-on-sqlite' }),
    resultRow({ ...postgres, name: 'postern-on-postgres-redis' }),
    resultRow({ ...sqliteLimited, name: 'postern-on-sqlite-limited' }),
    resultRow({ ...postgresLimited, name: 'postern-on-postgres-redis-limited' }),
  ];
}

function storeRatioNames(stores: Stores): Record<string, Omit<ResultRow, 'name'>> {
  const { plain, limited } = storeRatios(stores);
  return { 'postgres-redis/sqlite': plain, 'postgres-redis/sqlite-limited': limited };
}

function replayRatioNames(replay: Replay): Record<string, Omit<ResultRow, 'name'>> {
  const { first, further, overKeyless } = replayRatios(replay);
  return {
    'replayed/first-of-key': first,
    'replayed-again/first-of-key': further,
    'replayed-again/keyless': overKeyless,
  };
}

function divided(row: ResultRow, by: ResultRow): Omit<ResultRow, 'name'> {
  return {
    requestsPerSecond: row.requestsPerSecond / by.requestsPerSecond,
    cpuMicrosPerRequest: row.cpuMicrosPerRequest / by.cpuMicrosPerRequest,
    p50Us: row.p50Us / by.p50Us,
    p99Us: row.p99Us / by.p99Us,
    peakMemoryMb: row.peakMemoryMb / by.peakMemoryMb,
  };
}

export function benchDocument(report: BenchReport, goals: readonly unknown[]): BenchDocument {
  const { machine, throughput, ...others } = report;
  const { scrubbing, replay, stores } = others;
  const ratios = Object.entries(ratiosOf(throughput) ?? {}).map(([name, ratio]) => [`postern/${name}`, ratio]);
  const scrubRatios = Object.entries(scrubbing === undefined ? {} : scrubbingRatios(scrubbing)).map(([name, ratio]) => [
    `searched/unsearched-${name === 'small' ? '1kb' : '10mb'}`,
    ratio,
  ]);
  return {
    machine,
    results: [
      ...(throughput ?? []).map(resultRow),
      ...(scrubbing === undefined ? [] : Object.values(scrubbingRows(scrubbing))),
      ...(replay === undefined ? [] : Object.values(replayRows(replay))),
      ...(stores === undefined ? [] : storeRows(stores)),
    ],
    ratios: {
      ...Object.fromEntries([...ratios, ...scrubRatios]),
      ...(replay === undefined ? {} : replayRatioNames(replay)),
      ...(stores === undefined ? {} : storeRatioNames(stores)),
    },
    goals,
    tables: { throughput, ...others },
  };
}
