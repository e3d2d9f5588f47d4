import type { DbClient } from '../client.ts';
import {
  type CallJournalOptions,
  type CountingCallJournal,
  createCallJournal,
} from '../journal/create-call-journal.ts';
import { workersOf } from './open-sqlite.ts';

export type SqliteCallJournalOptions = CallJournalOptions;
export type SqliteCallJournal = CountingCallJournal;

/** The call journal on the writing worker of a client that `openSqlite` made. One journal a client. */
export function createSqliteCallJournal(dbClient: DbClient, options: SqliteCallJournalOptions): SqliteCallJournal {
  const { writer } = workersOf(dbClient);
  return createCallJournal(
    { request: (operation) => writer.request(operation), send: writer.send, failed: dbClient.failed },
    options,
  );
}
