import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { RecordedStep } from '../migration-state.ts';
import { DbError } from '../ports/db-error.ts';

/** A SQLite database as it was at one moment, whatever is written to it meanwhile. */
export interface SqliteSource {
  tables(): readonly string[];
  columns(table: string): readonly string[];
  /** None when there is no record of them. */
  steps(): readonly RecordedStep[];
  count(table: string): number;
  /** One row after the other; a value is what SQLite holds. Fails `invalid` for an integer that a number does not hold. */
  rows(table: string, columns: readonly string[], orderedBy?: string): Iterable<readonly SourceValue[]>;
  /** When the youngest lease of a node ends, in milliseconds since the epoch; 0 without one. */
  leaseEnd(): number;
  close(): void;
}

export type SourceValue = null | number | string | Uint8Array;

const BUSY_TIMEOUT_MS = 5_000;

/** Opens the file for reading alone. Fails `not_found` without the file, `invalid` when it is no SQLite database. */
export function openSqliteSource(file: string): SqliteSource {
  if (!existsSync(file)) throw new DbError('not_found', `there is no file ${file}`);
  const database = openReadOnly(file);
  const tables = tablesOf(database, file);

  return {
    tables: () => tables,
    columns: (table) =>
      database
        .prepare(`pragma table_info(${quoted(table)})`)
        .all()
        .map((row) => String(row['name'])),
    steps: () => {
      if (!tables.includes('schema_migrations')) return [];
      const select = database.prepare('select number, name from schema_migrations order by number');
      return select.all().map((row) => ({ number: Number(row['number']), name: String(row['name']) }));
    },
    count: (table) => Number(database.prepare(`select count(*) as rows from ${quoted(table)}`).get()?.['rows']),
    rows: (table, columns, orderedBy) => rowsOf(database, { table, columns, orderedBy }),
    leaseEnd: () => {
      if (!tables.includes('node_leases')) return 0;
      return Number(database.prepare('select coalesce(max(lease_until), 0) as end from node_leases').get()?.['end']);
    },
    close: () => database.close(),
  };
}

function openReadOnly(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    database.exec('begin');
    return database;
  } catch (error) {
    throw new DbError('unavailable', `${file} cannot be opened: ${messageOf(error)}`, error);
  }
}

/** The first statement after `begin`: with it the moment is fixed. */
function tablesOf(database: DatabaseSync, file: string): readonly string[] {
  try {
    const select = database.prepare(
      "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name",
    );
    return select.all().map((row) => String(row['name']));
  } catch (error) {
    database.close();
    throw new DbError('invalid', `${file} cannot be read as a SQLite database: ${messageOf(error)}`, error);
  }
}

interface Selection {
  readonly table: string;
  readonly columns: readonly string[];
  readonly orderedBy: string | undefined;
}

function* rowsOf(database: DatabaseSync, { table, columns, orderedBy }: Selection): Iterable<readonly SourceValue[]> {
  const order = orderedBy === undefined ? '' : ` order by ${quoted(orderedBy)}`;
  const statement = database.prepare(`select ${columns.map(quoted).join(', ')} from ${quoted(table)}${order}`);
  statement.setReturnArrays(true);
  try {
    for (const row of statement.iterate()) yield row as unknown as readonly SourceValue[];
  } catch (error) {
    throw new DbError('invalid', `table ${table} of the source cannot be read: ${messageOf(error)}`, error);
  }
}

/** Names come from the catalogue, and are quoted all the same. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
