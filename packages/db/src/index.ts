export type { DbClient, EngineCapabilities, TransactionScope } from './client.ts';
export { createMemoryRateLimits } from './memory/rate-limits.ts';
export { MIGRATIONS, migrate } from './migrate.ts';
export { createDbRepositories } from './repositories/create-db-repositories.ts';
export type { RepositoryOptions } from './repositories/repository-options.ts';
export {
  createSqliteCallJournal,
  type SqliteCallJournal,
  type SqliteCallJournalOptions,
} from './sqlite/call-journal.ts';
export type { JournalStats } from './sqlite/journal-queue.ts';
export { openSqlite, type SqliteOptions } from './sqlite/open-sqlite.ts';
export { runInTransaction } from './transaction.ts';
