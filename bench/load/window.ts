import { createHistogram } from '../histogram.ts';
import { type ProcessTime, readProcessTime, timeBetween } from '../measure-process.ts';
import type { LoadReport } from './order.ts';

/**
 * What is counted: not open, open, closed. The measured process's time is read here, in the generator, at the very moments at
 * which counting begins and ends.
 */
export interface MeasuredWindow {
  open(): void;
  close(): void;
  /** One good answer, `us` after the call's time. Ignored outside the window. */
  count(us: number): void;
  report(): LoadReport;
}

interface Reading {
  readonly atMs: number;
  readonly time: ProcessTime;
  readonly serversUs: number;
  readonly own: number;
}

export function createMeasuredWindow(processId: number, serverIds: readonly number[] = []): MeasuredWindow {
  const latencies = createHistogram();
  let opened: Reading | undefined;
  let closed: Reading | undefined;
  let calls = 0;

  function read(): Reading {
    const { user, system } = process.cpuUsage();
    const serversUs = serverIds.reduce((sum, id) => sum + readProcessTime(id).total, 0);
    return { atMs: performance.now(), time: readProcessTime(processId), serversUs, own: user + system };
  }

  return {
    open() {
      opened = read();
    },
    close() {
      closed = read();
    },
    count(us) {
      if (opened === undefined || closed !== undefined) return;
      calls += 1;
      latencies.add(us);
    },
    report() {
      if (opened === undefined || closed === undefined) throw new Error('the window was not opened and closed');
      const seconds = (closed.atMs - opened.atMs) / 1_000;
      return {
        calls,
        seconds,
        latencies: latencies.counts(),
        time: timeBetween(opened.time, closed.time),
        serversUs: closed.serversUs - opened.serversUs,
        generatorBusy: (closed.own - opened.own) / 1e6 / seconds,
      };
    },
  };
}
