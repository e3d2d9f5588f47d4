import type { EntryStore, JournalRows } from '../../journal/journal-rows.ts';
import { SqliteClaimStore } from './claim-store.ts';
import type { Connection } from './connection.ts';
import { SqliteGrantStore } from './grant-store.ts';
import { SqliteLeaseStore, SqliteOpenIntentStore } from './lease-store.ts';

/** The journal's rows as statements on a connection, each at once. */
export function sqliteJournalRows(connection: Connection, entries: EntryStore): JournalRows {
  return {
    entries,
    leases: new SqliteLeaseStore(connection),
    openIntents: new SqliteOpenIntentStore(connection),
    claims: new SqliteClaimStore(connection),
    grants: new SqliteGrantStore(connection),
  };
}
