export { type DbClient, type EngineCapabilities, INSTANCE_SCOPE, type TransactionScope } from './client.ts';
export { type ImportProgress, type ImportReport, importDatabase } from './import/import-database.ts';
export type { CallJournalOptions, CountingCallJournal } from './journal/create-call-journal.ts';
export type { JournalStats } from './journal/journal-queue.ts';
export { createMemoryStores, type MemoryStoresOptions } from './memory/create-memory-stores.ts';
export { createMemoryEventRelay } from './memory/event-relay.ts';
export { createMemoryRateLimits } from './memory/rate-limits.ts';
export { MIGRATIONS, migrate } from './migrate.ts';
export { type DatabasePlace, migrateDatabase, readMissingSteps } from './migrate-database.ts';
export { createPostgresCallJournal } from './postgres/call-journal.ts';
export { openPostgres, type PostgresOptions } from './postgres/open-postgres.ts';
export { grantTo, type RoleFinding, roleFindings } from './postgres/role-findings.ts';
export { connectRedis, type RedisOptions } from './redis/connect-redis.ts';
export { createRedisStores, type RedisStoresOptions } from './redis/create-redis-stores.ts';
export { createRedisEventRelay } from './redis/event-relay.ts';
export {
  createFallbackRateLimits,
  type FallbackRateLimits,
  type FallbackRateLimitsOptions,
} from './redis/fallback-rate-limits.ts';
export type { RedisConnection, RedisState } from './redis/redis-connection.ts';
export { createDbRepositories } from './repositories/create-db-repositories.ts';
export type { RepositoryOptions } from './repositories/repository-options.ts';
export {
  createSqliteCallJournal,
  type SqliteCallJournal,
  type SqliteCallJournalOptions,
} from './sqlite/call-journal.ts';
export { openSqlite, type SqliteOptions } from './sqlite/open-sqlite.ts';
export { runInTransaction } from './transaction.ts';
