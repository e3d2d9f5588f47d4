import { sql } from 'kysely';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { migrate } from '../migrate.ts';
import { missingSteps, type RecordedStep } from '../migration-state.ts';
import { DbError } from '../ports/db-error.ts';
import type { PostgresOptions } from './open-postgres.ts';

/** The first with `pg_input_is_valid`, by which entries are judged that are none any more. */
const SERVER_VERSION_LEAST = 160_000;

interface ServerState {
  readonly version: number;
  readonly encoding: string;
  readonly role: string;
  readonly has_record: boolean;
  readonly may_create: boolean;
}

/**
 * Brings the database to the newest known form, with a client that `openMigrating` makes for it: migrations take longer than other work.
 * A role that may make no tables is content with a database in which nothing is missing.
 */
export async function prepareDatabase(
  client: DbClient,
  openMigrating: () => DbClient,
  { now, onMigration }: Pick<PostgresOptions, 'now' | 'onMigration'>,
): Promise<void> {
  const state = await readState(client);
  if (state.version < SERVER_VERSION_LEAST) {
    throw new DbError('invalid', `PostgreSQL 16 or newer is needed; this server is ${state.version}`);
  }
  if (state.encoding !== 'UTF8') {
    throw new DbError('invalid', `the database must be in the encoding UTF8; this one is in ${state.encoding}`);
  }
  const missing = missingSteps(state.has_record ? await readRecord(client) : []);
  if (missing.length === 0) return;
  if (!state.may_create) {
    const names = missing.map(({ number, name }) => `${number} (${name})`).join(', ');
    throw new DbError(
      'invalid',
      `the database lacks the migrations ${names}, and the role ${state.role} may not run them: run \`postern migrate\` as the owner of the tables`,
    );
  }
  const migrating = openMigrating();
  try {
    await migrate(migrating, now, undefined, onMigration);
  } finally {
    await migrating.close();
  }
}

async function readState(client: DbClient): Promise<ServerState> {
  const { rows } = await sql<ServerState>`
    select current_setting('server_version_num')::bigint as version, current_setting('server_encoding') as encoding,
      current_user as role, to_regclass('schema_migrations') is not null as has_record,
      coalesce(has_schema_privilege(current_schema(), 'create'), false)
        and not exists (select 1 from pg_class c where c.oid = to_regclass('schema_migrations')
          and not pg_has_role(c.relowner, 'usage')) as may_create`.execute(client.points(INSTANCE_SCOPE));
  return rows[0] as ServerState;
}

async function readRecord(client: DbClient): Promise<readonly RecordedStep[]> {
  return client
    .points(INSTANCE_SCOPE)
    .selectFrom('schema_migrations')
    .select(['number', 'name'])
    .orderBy('number')
    .execute();
}
