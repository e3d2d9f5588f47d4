import type { DbClient } from '../client.ts';
import { DbError } from '../ports/db-error.ts';
import { startWorkerLink, type WorkerLink } from '../worker-link.ts';
import type { Operation } from './worker/operations.ts';

interface Attached {
  readonly url: string;
  readonly workers: Set<WorkerLink<Operation>>;
  readonly onDeath: (error: DbError) => void;
}

const attachedOfClients = new WeakMap<DbClient, Attached>();

/** A page of the longest entries fits, and what waits beside it. */
const HEAP_MB = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 };

/** The client, with journals on it: it closes their workers before itself, and has failed when one of them died. */
export function withJournals(client: DbClient, url: string): DbClient {
  const workers = new Set<WorkerLink<Operation>>();
  const failure = Promise.withResolvers<DbError>();
  const close = async () => {
    await Promise.all([...workers].map((worker) => worker.close()));
    await client.close();
  };
  const joined: DbClient = { ...client, failed: Promise.race([client.failed, failure.promise]), close };
  attachedOfClients.set(joined, { url, workers, onDeath: failure.resolve });
  return joined;
}

/** A worker with a connection of its own to the client's database. Fails `invalid` for a client that `openPostgres` did not make. */
export function startJournalWorker(client: DbClient): WorkerLink<Operation> {
  const attached = attachedOfClients.get(client);
  if (attached === undefined) throw new DbError('invalid', 'the database client was not made by openPostgres');
  const { url, workers, onDeath } = attached;
  const worker = startWorkerLink<Operation>({
    folder: new URL('./worker/', import.meta.url),
    name: 'postern-db-journal',
    workerData: { url },
    heap: HEAP_MB,
  });
  workers.add(worker);
  void worker.failed.then(onDeath);
  return worker;
}
