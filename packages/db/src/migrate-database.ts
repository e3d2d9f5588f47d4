import { existsSync } from 'node:fs';
import { openPostgresTarget } from './import/postgres-target.ts';
import { openSqliteSource } from './import/sqlite-source.ts';
import { missingSteps, type RecordedStep } from './migration-state.ts';
import { DbError } from './ports/db-error.ts';
import { openPostgres } from './postgres/open-postgres.ts';
import { grantTo } from './postgres/role-findings.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';

/** A database by the name of its place. */
export type DatabasePlace =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** A step may rewrite a table; who asks for it by name waits for it. */
const STEP_MS_MAX = 3_600_000;

export interface MigrateOptions {
  /** Milliseconds since the epoch, for the record of steps. */
  readonly now: () => number;
  /** Told of each step when it is done. */
  readonly onStep: (step: RecordedStep) => void;
  /** PostgreSQL: the role that gateways connect as; it gets its rights on the tables when they are there. */
  readonly grantTo?: string;
}

/** Takes the missing steps, also while nodes run and others do the same: each step is taken once. Fails as `migrate` does. */
export async function migrateDatabase(
  place: DatabasePlace,
  { now, onStep, grantTo: role }: MigrateOptions,
): Promise<void> {
  if (place.kind === 'sqlite') {
    if (role !== undefined) throw new DbError('invalid', 'SQLite knows no roles that rights could be given to');
    const options = { now, transactionMs: STEP_MS_MAX, onMigration: onStep };
    await (await openSqlite({ file: place.file, ...options })).close();
    return;
  }
  await (await openPostgres({ url: place.url, now, onMigration: onStep })).close();
  if (role !== undefined) await grantRights(place.url, role);
}

/** All or none of them. Fails `invalid` when there is no such role, and for a role that may not give these rights. */
async function grantRights(url: string, role: string): Promise<void> {
  const target = await openPostgresTarget(url);
  try {
    await target.execute(grantTo(role, await target.schema()));
    await target.commit();
  } finally {
    await target.close();
  }
}

/** The steps that the database lacks; changes nothing and makes no file. Fails `invalid` for one that a newer program has migrated. */
export async function readMissingSteps(place: DatabasePlace): Promise<readonly RecordedStep[]> {
  if (place.kind === 'sqlite') {
    if (!existsSync(place.file)) return missingSteps([]);
    const source = openSqliteSource(place.file);
    try {
      return missingSteps(source.steps());
    } finally {
      source.close();
    }
  }
  const target = await openPostgresTarget(place.url);
  try {
    const isNew = !(await target.tables()).includes('schema_migrations');
    return missingSteps(isNew ? [] : await target.steps());
  } finally {
    await target.close();
  }
}
