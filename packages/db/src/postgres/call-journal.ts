import type { DbClient } from '../client.ts';
import {
  type CallJournalOptions,
  type CountingCallJournal,
  createCallJournal,
} from '../journal/create-call-journal.ts';
import { startJournalWorker } from './journal-workers.ts';

/**
 * The call journal on a client that `openPostgres` made: in a worker of its own, with a connection of its own. Any number of nodes may
 * have one on the same database.
 */
export function createPostgresCallJournal(dbClient: DbClient, options: CallJournalOptions): CountingCallJournal {
  const worker = startJournalWorker(dbClient);
  const journal = createCallJournal(
    { request: (operation) => worker.request(operation), send: worker.send, failed: worker.failed },
    options,
  );
  return { ...journal, close: () => journal.close().finally(() => worker.close()) };
}
