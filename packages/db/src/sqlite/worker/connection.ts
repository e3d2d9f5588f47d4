import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Query, QueryAnswer } from '../protocol.ts';

/** Prepared statements kept per connection; the texts come from the query builder, so there are few. */
const STATEMENTS_MAX = 256;

const BUSY_TIMEOUT_MS = 5_000;

const LOG_BYTES_KEPT = 33_554_432;

/** One SQLite connection with its prepared statements. */
export interface Connection {
  readonly database: DatabaseSync;
  prepare(sql: string): StatementSync;
  run(query: Query): QueryAnswer;
  close(): void;
}

/** The writing connection: every commit is on the disk (`synchronous=FULL`) before it is told. */
export function openWritingConnection(file: string): Connection {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  switchToWal(database);
  database.exec('pragma synchronous = full');
  database.exec(`pragma journal_size_limit = ${LOG_BYTES_KEPT}`);
  return withStatements(database);
}

/** A connection that sees what is committed, and can write nothing. */
export function openReadingConnection(file: string): Connection {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
  database.exec('pragma query_only = 1');
  return withStatements(database);
}

/** After some errors (a full disk) SQLite has rolled back by itself, and a second time is an error. */
export function rollBack(connection: Connection): void {
  if (connection.database.isTransaction) connection.prepare('rollback').run();
}

function withStatements(database: DatabaseSync): Connection {
  const statements = new Map<string, StatementSync>();

  function prepare(sql: string): StatementSync {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    if (statements.size >= STATEMENTS_MAX) {
      const [oldest] = statements.keys();
      if (oldest !== undefined) statements.delete(oldest);
    }
    statements.set(sql, statement);
    return statement;
  }

  function run({ sql, parameters }: Query): QueryAnswer {
    const statement = prepare(sql);
    const values = parameters as SQLInputValue[];
    if (statement.columns().length > 0) return { rows: statement.all(...values) };
    return { rows: [], changes: Number(statement.run(...values).changes) };
  }

  return { database, prepare, run, close: () => database.close() };
}

const WAL_TRIES = 200;
const WAL_RETRY_MS = 10;

/** Two programs that open a new file at once: SQLite does not wait for the lock that the switch needs, so we do, at most 2 s. */
function switchToWal(database: DatabaseSync): void {
  for (let tries = 1; ; tries += 1) {
    try {
      database.exec('pragma journal_mode = wal');
      return;
    } catch (error) {
      if (tries === WAL_TRIES || !(error instanceof Error && error.message.includes('locked'))) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAL_RETRY_MS);
    }
  }
}
