import { startWorkerLink, type WorkerLink as WorkerLinkOf } from '../worker-link.ts';
import type { Operation, WorkerSettings } from './protocol.ts';

/** The main thread's end of one of SQLite's workers. */
export type WorkerLink = WorkerLinkOf<Operation>;

/** A page of the longest entries fits; SQLite's own caches lie outside. */
const HEAP_MB = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 4 };

/** Its first message says whether the file could be opened. */
export function startWorker(settings: WorkerSettings): WorkerLink {
  return startWorkerLink({
    folder: new URL('./worker/', import.meta.url),
    name: `postern-db-${settings.role}`,
    workerData: settings,
    heap: HEAP_MB,
  });
}
