import type { Machine } from './machine.ts';
import type { AddedLatency } from './measurements/added-latency.ts';
import type { CommitPrice } from './measurements/commit-price.ts';
import type { Growth } from './measurements/growth.ts';
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
  readonly throughput?: readonly ThroughputRow[];
  readonly latency?: AddedLatency;
  readonly commit?: CommitPrice;
  readonly startMs?: Figure;
  readonly growth?: Growth;
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

export function resultRow(row: ThroughputRow): ResultRow {
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
  const ratios = Object.entries(ratiosOf(throughput) ?? {});
  return {
    machine,
    results: (throughput ?? []).map(resultRow),
    ratios: Object.fromEntries(ratios.map(([name, ratio]) => [`postern/${name}`, ratio])),
    goals,
    tables: { throughput, ...others },
  };
}
