import { quantileUs } from '../histogram.ts';
import type { LoadReport } from '../load/order.ts';
import { type Figure, figureOf } from '../statistics.ts';

/** One variant under one load, over the rounds. */
export interface LoadFigures {
  readonly requestsPerSecond: Figure;
  /** Processor time of one call: all of it, the event loop's thread, the database's threads. */
  readonly cpuUs: Figure;
  readonly mainUs: Figure;
  readonly workerUs: Figure;
  /** Of the servers that work for it: its database's and the like. */
  readonly serversUs: Figure;
  readonly p50Us: Figure;
  readonly p99Us: Figure;
  readonly generatorBusy: Figure;
}

export function loadFigures(reports: readonly LoadReport[]): LoadFigures {
  const over = (value: (report: LoadReport) => number) => figureOf(reports.map(value));
  return {
    requestsPerSecond: over(({ calls, seconds }) => calls / seconds),
    cpuUs: over(({ time, calls }) => time.total / calls),
    mainUs: over(({ time, calls }) => time.main / calls),
    workerUs: over(({ time, calls }) => time.worker / calls),
    serversUs: over(({ serversUs, calls }) => serversUs / calls),
    p50Us: over(({ latencies }) => quantileUs(latencies, 0.5)),
    p99Us: over(({ latencies }) => quantileUs(latencies, 0.99)),
    generatorBusy: over(({ generatorBusy }) => generatorBusy),
  };
}

export function callsPerSecond({ calls, seconds }: LoadReport): string {
  return `${Math.round(calls / seconds).toLocaleString('en-US')} calls/s`;
}
