import { readdirSync, readFileSync } from 'node:fs';

/** Processor time (user and system) that a process and its children have used so far, in microseconds. */
export interface ProcessTime {
  /** The thread that runs the event loop. */
  readonly main: number;
  /** Worker threads that run JavaScript of the program: Postern's database threads. */
  readonly worker: number;
  /** Everything: also V8's collector and compiler threads and libuv's pool. */
  readonly total: number;
}

/** Linux reports ticks of USER_HZ, which is 100 on every architecture that Node runs on. */
const TICK_US = 10_000;
/** Thread names that Postern gives its workers (the kernel keeps 15 characters). */
const WORKER_NAME = /^postern-/;

/** @throws Error when the process has ended. */
export function readProcessTime(processId: number): ProcessTime {
  const time = { main: 0, worker: 0, total: 0 };
  for (const id of withChildren(processId)) {
    time.total += readTime(`/proc/${id}/stat`).us;
    for (const thread of readdirSync(`/proc/${id}/task`)) {
      const { us, name } = readTime(`/proc/${id}/task/${thread}/stat`);
      if (Number(thread) === id) time.main += us;
      else if (WORKER_NAME.test(name)) time.worker += us;
    }
  }
  return time;
}

export function timeBetween(before: ProcessTime, after: ProcessTime): ProcessTime {
  return {
    main: after.main - before.main,
    worker: after.worker - before.worker,
    total: after.total - before.total,
  };
}

/** Most memory that was ever resident (VmHWM), children included, in MiB. */
export function readPeakMemoryMb(processId: number): number {
  let kilobytes = 0;
  for (const id of withChildren(processId)) {
    kilobytes += Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0);
  }
  return kilobytes / 1_024;
}

function withChildren(processId: number): number[] {
  const children = readdirSync(`/proc/${processId}/task`).flatMap((thread) => childrenOf(processId, thread));
  return [processId, ...children.flatMap(withChildren)];
}

function childrenOf(processId: number, thread: string): number[] {
  const list = readFileSync(`/proc/${processId}/task/${thread}/children`, 'utf8').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}

/** The name stands in parentheses and may hold any character; utime and stime are the 14th and 15th field (proc(5)). */
function readTime(file: string): { name: string; us: number } {
  const text = readFileSync(file, 'utf8');
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { name: text.slice(text.indexOf('(') + 1, end), us: ticks * TICK_US };
}
