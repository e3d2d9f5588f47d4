import { missingSteps, type RecordedStep } from '../migration-state.ts';
import { DbError } from '../ports/db-error.ts';
import { IMPORTED_TABLES, type ImportedTable, LEFT_TABLES } from './imported-tables.ts';
import { openPostgresTarget, type PostgresTarget, type TargetColumn } from './postgres-target.ts';
import type { ComparedValue } from './row-digest.ts';
import { openSqliteSource, type SourceValue, type SqliteSource } from './sqlite-source.ts';
import {
  addRow,
  type ComparedLog,
  type ComparedTable,
  comparedLogs,
  digestOf,
  emptySums,
  type Sums,
} from './table-sums.ts';

export interface ImportOptions {
  /** A SQLite file. It is read as it is at one moment, and never written to. */
  readonly from: string;
  /** `postgres://…` of the role that owns the tables; its database is migrated and empty. */
  readonly to: string;
  /** Takes what a node that lives, or was killed just now, has written so far. Default: such a source is refused. */
  readonly allowLiving?: boolean;
  /** Milliseconds since the epoch, for `allowLiving`. */
  readonly now: number;
  /** Of `instance_marks`, beside those of the source: what several nodes must agree on and one keeps in its data folder. */
  readonly marks?: Readonly<Record<string, string>>;
  /** How long one waits for whoever writes to the target at the moment. Default 5 s. */
  readonly lockWaitMs?: number;
  readonly onProgress?: (progress: ImportProgress) => void;
}

export interface ImportProgress {
  readonly phase: 'copy' | 'compare';
  readonly table: string;
  readonly rows: number;
  /** Of this table. */
  readonly rowsInAll: number;
}

export interface ImportReport {
  /** `different`: nothing was stored. `equal`: all of it had been there already. */
  readonly outcome: 'stored' | 'equal' | 'different';
  readonly tables: readonly ComparedTable[];
  readonly logs: readonly ComparedLog[];
}

/**
 * Brings a SQLite database into an empty, migrated PostgreSQL database, reads back all that it wrote, compares, and only then commits: one
 * transaction, so that an import which was interrupted has left nothing and is begun anew. While it runs nobody else can write to
 * the target. A target that holds exactly the source's rows is told as `equal`.
 *
 * Fails `invalid` for a source or target that is not what it should be, `not_found` without the file, `unavailable` when a database cannot be
 * reached, is being written to, or goes away.
 */
export async function importDatabase(options: ImportOptions): Promise<ImportReport> {
  const source = withMarks(openSqliteSource(options.from), options.marks ?? {});
  try {
    checkSource(source, options);
    const target = await openPostgresTarget(options.to, options.lockWaitMs);
    try {
      return await importInto(target, source, options);
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

/** The source, as if it had these marks. */
function withMarks(source: SqliteSource, marks: Readonly<Record<string, string>>): SqliteSource {
  const own = () => new Set([...source.rows('instance_marks', ['name'])].map(([name]) => name));
  const added = () => {
    const known = own();
    return Object.entries(marks).filter(([name]) => !known.has(name));
  };
  return {
    ...source,
    count: (table) => source.count(table) + (table === 'instance_marks' ? added().length : 0),
    *rows(table, columns, orderedBy) {
      yield* source.rows(table, columns, orderedBy);
      if (table !== 'instance_marks') return;
      for (const [name, value] of added()) yield columns.map((column) => (column === 'name' ? name : value));
    },
  };
}

function checkSource(source: SqliteSource, { from, allowLiving = false, now }: ImportOptions): void {
  const known = new Set([...IMPORTED_TABLES.map(({ table }) => table), ...LEFT_TABLES]);
  if (source.steps().length === 0) throw new DbError('invalid', `${from} is no database of Postern`);
  const missing = missingSteps(source.steps());
  if (missing.length > 0) throw notMigrated(from, missing);
  const foreign = source.tables().filter((table) => !known.has(table));
  if (foreign.length > 0) throw new DbError('invalid', `${from} has tables that are not ours: ${foreign.join(', ')}`);
  if (!allowLiving && source.leaseEnd() > now) {
    throw new DbError(
      'invalid',
      `a gateway works on ${from}, or was killed within the last seconds: stop it, and try again ${Math.ceil((source.leaseEnd() - now) / 1_000)} s later`,
    );
  }
}

async function importInto(target: PostgresTarget, source: SqliteSource, options: ImportOptions): Promise<ImportReport> {
  const plan = await planOf(target, source);
  await target.lock(plan.map(({ table }) => table));
  const filled = await filledTables(target, plan);
  if (filled.length > 0) return await compareWithFilled(target, source, { plan, filled, options });
  const sums = emptySums();
  for (const each of plan) await copyTable(target, source, { each, sums, options });
  const report = await compare(target, { plan, sums, options });
  if (report.outcome === 'different') return report;
  await target.commit();
  await target.analyse(plan.map(({ table }) => table));
  return { ...report, outcome: 'stored' };
}

interface PlannedTable extends ImportedTable {
  readonly columns: readonly TargetColumn[];
  readonly rowsInAll: number;
}

/** Both sides must have the same tables with the same columns. */
async function planOf(target: PostgresTarget, source: SqliteSource): Promise<readonly PlannedTable[]> {
  const there = new Set(await target.tables());
  if (!there.has('schema_migrations')) throw notMigrated('the PostgreSQL database', missingSteps([]));
  const missing = missingSteps(await target.steps());
  if (missing.length > 0) throw notMigrated('the PostgreSQL database', missing);
  const plan: PlannedTable[] = [];
  for (const each of IMPORTED_TABLES) {
    const columns = await target.columns(each.table);
    checkColumns(each.table, source.columns(each.table), columns);
    const shared = new Set(source.columns(each.table));
    plan.push({
      ...each,
      columns: columns.filter(({ name }) => shared.has(name)),
      rowsInAll: source.count(each.table),
    });
  }
  return plan;
}

function checkColumns(table: string, source: readonly string[], target: readonly TargetColumn[]): void {
  const lost = source.filter((name) => !target.some((column) => column.name === name));
  const unfilled = target.filter(({ name, isRequired }) => isRequired && !source.includes(name));
  if (lost.length === 0 && unfilled.length === 0) return;
  const names = [...lost, ...unfilled.map(({ name }) => name)].join(', ');
  throw new DbError('invalid', `table ${table} has not the same columns on both sides: ${names}`);
}

async function filledTables(target: PostgresTarget, plan: readonly PlannedTable[]): Promise<readonly string[]> {
  const filled: string[] = [];
  for (const { table, seeded } of plan) {
    if ((await target.count(table, seeded === undefined ? 'true' : `not (${seeded})`)) > 0) filled.push(table);
  }
  return filled;
}

interface Filled {
  readonly plan: readonly PlannedTable[];
  readonly filled: readonly string[];
  readonly options: ImportOptions;
}

/** The target is not empty: all is well when it holds what the source holds, as after an import whose end nobody heard of. */
async function compareWithFilled(
  target: PostgresTarget,
  source: SqliteSource,
  { plan, filled, options }: Filled,
): Promise<ImportReport> {
  for (const { table, rowsInAll } of plan) {
    if ((await target.count(table)) !== rowsInAll) throw notEmpty(filled);
  }
  const sums = emptySums();
  for (const each of plan)
    for (const _rows of readTable(source, each, sums)) options.onProgress?.(progressOf(each, sums));
  const report = await compare(target, { plan, sums, options });
  if (report.outcome === 'different') throw notEmpty(filled);
  return report;
}

interface Copy {
  readonly each: PlannedTable;
  readonly sums: Sums;
  readonly options: ImportOptions;
}

async function copyTable(target: PostgresTarget, source: SqliteSource, { each, sums, options }: Copy): Promise<void> {
  const { table, columns, seeded } = each;
  if (seeded !== undefined) await target.remove(table, seeded);
  for (const rows of readTable(source, each, sums)) {
    await target.insert(table, columns, rows);
    options.onProgress?.(progressOf(each, sums));
  }
  await target.continueCounting(table);
}

function progressOf({ table, rowsInAll }: PlannedTable, sums: Sums): ImportProgress {
  return { phase: 'copy', table, rows: digestOf(sums, table).rows, rowsInAll };
}

const ROWS_AT_ONCE = 1_000;
const BYTES_AT_ONCE = 4_194_304;

/** Rows in bounded batches; on the way they are summed up. */
function* readTable(
  source: SqliteSource,
  { table, columns, orderedBy }: PlannedTable,
  sums: Sums,
): Iterable<readonly (readonly SourceValue[])[]> {
  const names = columns.map(({ name }) => name);
  let batch: (readonly SourceValue[])[] = [];
  let bytes = 0;
  for (const row of source.rows(table, names, orderedBy)) {
    checkTexts(table, columns, row);
    addRow(sums, { table, columns, row: row.map((value, place) => compared(value, columns[place])) });
    batch.push(row);
    for (const value of row) bytes += typeof value === 'string' || value instanceof Uint8Array ? value.length : 8;
    if (batch.length < ROWS_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** The escape of NUL in JSON text, and not a backslash that is escaped before `u0000`. */
const JSON_NUL = /(?<!\\)(?:\\\\)*\\u0000/;

/** PostgreSQL has no text with NUL in it, and no JSON either. Entries and other texts may hold its escape. */
function checkTexts(table: string, columns: readonly TargetColumn[], row: readonly SourceValue[]): void {
  const place = row.findIndex((value, index) => {
    if (typeof value !== 'string') return false;
    return value.includes('\0') || (columns[index]?.type === 'jsonb' && JSON_NUL.test(value));
  });
  if (place < 0) return;
  const name = `${table}.${columns[place]?.name}`;
  throw new DbError('invalid', `${name} of a row holds the character NUL, which PostgreSQL cannot store`);
}

function compared(value: SourceValue, column: TargetColumn | undefined): ComparedValue {
  return column?.type === 'jsonb' && typeof value === 'string' ? { json: JSON.parse(value) } : value;
}

interface Comparison {
  readonly plan: readonly PlannedTable[];
  /** Of the source. */
  readonly sums: Sums;
  readonly options: ImportOptions;
}

async function compare(target: PostgresTarget, { plan, sums, options }: Comparison): Promise<ImportReport> {
  const there = emptySums();
  for (const { table, columns, orderedBy, rowsInAll } of plan) {
    let rows = 0;
    for await (const batch of target.batches(table, columns, orderedBy)) {
      for (const row of batch) addRow(there, { table, columns, row });
      rows += batch.length;
      options.onProgress?.({ phase: 'compare', table, rows, rowsInAll });
    }
  }
  const tables = plan.map(({ table }) => {
    return { table, source: digestOf(sums, table), target: digestOf(there, table) };
  });
  const logs = comparedLogs(sums, there);
  const isEqual =
    tables.every(({ source, target: other }) => source.rows === other.rows && source.digest === other.digest) &&
    logs.every(({ source, target: other }) => source?.entries === other?.entries && source?.digest === other?.digest);
  return { outcome: isEqual ? 'equal' : 'different', tables, logs };
}

function notMigrated(what: string, missing: readonly RecordedStep[]): DbError {
  const steps = missing.map(({ number, name }) => `${number} (${name})`).join(', ');
  return new DbError('invalid', `${what} lacks migrations: ${steps}; run "postern migrate" on it first`);
}

function notEmpty(filled: readonly string[]): DbError {
  return new DbError(
    'invalid',
    `the PostgreSQL database is not empty, and holds something else than the source (in ${filled.join(', ')}): import into a new one`,
  );
}
