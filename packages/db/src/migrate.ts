import { sql } from 'kysely';
import { type DbClient, INSTANCE_SCOPE } from './client.ts';
import { initial } from './migrations/0001-initial.ts';
import { rotatedSecrets } from './migrations/0002-rotated-secrets.ts';
import { policyVersions } from './migrations/0003-policy-versions.ts';
import { templateVersions } from './migrations/0004-template-versions.ts';
import { approvalsAndClaims } from './migrations/0005-approvals-and-claims.ts';
import { notificationEndpoints } from './migrations/0006-notification-endpoints.ts';
import { rowSecurity } from './migrations/0007-row-security.ts';
import { identityKeysEdges } from './migrations/0008-identity-keys-edges.ts';
import { tenantLimits } from './migrations/0009-tenant-limits.ts';
import { nodes } from './migrations/0010-nodes.ts';
import { auditSummaries } from './migrations/0011-audit-summaries.ts';
import { grownStores } from './migrations/0012-grown-stores.ts';
import type { Migration } from './migrations/migration.ts';
import { DbError } from './ports/db-error.ts';

/** In order, numbered from 1 without gaps. */
export const MIGRATIONS: readonly Migration[] = [
  initial,
  rotatedSecrets,
  policyVersions,
  templateVersions,
  approvalsAndClaims,
  notificationEndpoints,
  rowSecurity,
  identityKeysEdges,
  tenantLimits,
  nodes,
  auditSummaries,
  grownStores,
];

/**
 * Brings the database to the newest known form: each missing step in a transaction of its own, recorded with name and time.
 * Returns the numbers of the steps it took; `onStep` is told of each when it is done. Fails `invalid` for a database that a newer program has migrated further, or whose
 * record names other steps than ours.
 */
export async function migrate(
  dbClient: DbClient,
  now: () => number = Date.now,
  migrations: readonly Migration[] = MIGRATIONS,
  onStep?: (migration: Migration) => void,
): Promise<readonly number[]> {
  await dbClient.transact(async (scope) => {
    const kysely = scope.kysely(INSTANCE_SCOPE);
    const { integerType, tableEnding, inByteOrder } = dbClient.capabilities;
    const table = `create table if not exists schema_migrations (number ${integerType} not null primary key, name text not null, applied_at ${integerType} not null) ${tableEnding}`;
    await sql.raw(inByteOrder(table)).execute(kysely);
  });
  const taken: number[] = [];
  for (const migration of migrations) {
    if (!(await takeStep(dbClient, migration, migrations, now()))) continue;
    taken.push(migration.number);
    onStep?.(migration);
  }
  return taken;
}

/** Reads the record inside the step's own transaction, so that two programs that start at once take each step once. */
function takeStep(dbClient: DbClient, migration: Migration, known: readonly Migration[], at: number): Promise<boolean> {
  return dbClient.transact(async (scope) => {
    const kysely = scope.kysely(INSTANCE_SCOPE);
    const recorded = await kysely
      .selectFrom('schema_migrations')
      .select(['number', 'name'])
      .orderBy('number')
      .execute();
    requireKnown(recorded, known);
    if (recorded.some((row) => row.number === migration.number)) return false;
    for (const statement of migration.statements(dbClient.capabilities)) {
      await sql.raw(dbClient.capabilities.inByteOrder(statement)).execute(kysely);
    }
    await kysely
      .insertInto('schema_migrations')
      .values({ number: migration.number, name: migration.name, applied_at: at })
      .execute();
    return true;
  });
}

function requireKnown(recorded: readonly { number: number; name: string }[], known: readonly Migration[]): void {
  for (const row of recorded) {
    const migration = known.find((candidate) => candidate.number === row.number);
    if (migration === undefined) {
      throw new DbError(
        'invalid',
        `the database is newer than this program: it has migration ${row.number} (${row.name}), the newest known here is ${known.length}; start the newer program`,
      );
    }
    if (migration.name !== row.name) {
      throw new DbError(
        'invalid',
        `schema_migrations.name of ${row.number} is ${JSON.stringify(row.name)}, this program knows it as ${JSON.stringify(migration.name)}`,
      );
    }
  }
}
