export { type DbClient, type EngineCapabilities, INSTANCE_SCOPE, type TransactionScope } from './client.ts';
export type { CallJournalOptions, CountingCallJournal } from './journal/create-call-journal.ts';
export type { JournalStats } from './journal/journal-queue.ts';
export { createMemoryStores, type MemoryStoresOptions } from './memory/create-memory-stores.ts';
export { createMemoryEventRelay } from './memory/event-relay.ts';
export { createMemoryRateLimits } from './memory/rate-limits.ts';
export { MIGRATIONS, migrate } from './migrate.ts';
export { createDbRepositories } from './repositories/create-db-repositories.ts';
export type { RepositoryOptions } from './repositories/repository-options.ts';
export {
  createSqliteCallJournal,
  type SqliteCallJournal,
  type SqliteCallJournalOptions,
} from './sqlite/call-journal.ts';
export { openSqlite, type SqliteOptions } from './sqlite/open-sqlite.ts';
export { runInTransaction } from './transaction.ts';
