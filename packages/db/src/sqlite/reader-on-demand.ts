import { DbError } from '../ports/db-error.ts';
import type { WorkerSettings } from './protocol.ts';
import { startWorker, type WorkerLink } from './worker-link.ts';

/** The worker that reads lists: there while it is asked, and a little longer. */
export interface ReaderOnDemand {
  /** Starts it when it is not there, or no more. Throws `unavailable` once it is closed. */
  request: WorkerLink['request'];
  /** undefined: it does not run, and takes no memory. */
  running(): WorkerLink | undefined;
  close(): Promise<void>;
}

/** `idleMs`: how long it stays without a question. */
export function readerOnDemand(settings: WorkerSettings, idleMs: number): ReaderOnDemand {
  let reader: WorkerLink | undefined;
  let ending: Promise<void> = Promise.resolve();
  let asked = 0;
  let idle: NodeJS.Timeout | undefined;
  let isClosed = false;

  /** One that died fails what was asked of it; the next question starts another. */
  function start(): WorkerLink {
    const started = startWorker(settings);
    void started.failed.then(() => {
      if (reader === started) reader = undefined;
    });
    return started;
  }

  function end(): void {
    const ended = reader;
    reader = undefined;
    if (ended !== undefined) ending = ended.close();
  }

  async function request<T>(operation: Parameters<WorkerLink['request']>[0]): Promise<T> {
    if (isClosed) throw new DbError('unavailable', 'the database is closed');
    clearTimeout(idle);
    reader ??= start();
    asked += 1;
    try {
      return await reader.request<T>(operation);
    } finally {
      asked -= 1;
      if (asked === 0 && !isClosed) idle = setTimeout(end, idleMs).unref();
    }
  }

  return {
    request,
    running: () => reader,
    async close() {
      isClosed = true;
      clearTimeout(idle);
      await ending;
      await reader?.close();
    },
  };
}
