/** PostgreSQL; apart from the index, so that a node on SQLite loads nothing of it. */
export { createPostgresCallJournal } from './postgres/call-journal.ts';
export { openPostgres, type PostgresOptions } from './postgres/open-postgres.ts';
export { grantTo, type RoleFinding, roleFindings } from './postgres/role-findings.ts';
