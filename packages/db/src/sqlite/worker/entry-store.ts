import type { StatementSync } from 'node:sqlite';
import type { EntryStore, LogEnd, RowMarks } from '../../journal/journal-rows.ts';
import type { Connection } from './connection.ts';

/** Rows that go into one statement; the start of a statement costs as much as a row. */
const ROWS_AT_ONCE = 8;
const COLUMNS = ['log', 'seq', 'request_key', 'request_id', 'lease', 'closes', 'entry'];
type Value = string | number | null;

/** The entries of the logs, in the transaction that is open on the connection. */
export class SqliteEntryStore implements EntryStore {
  readonly #selectEnd: StatementSync;
  readonly #insertLog: StatementSync;
  readonly #insertOne: StatementSync;
  readonly #insertMany: StatementSync;
  #waiting: Value[] = [];

  constructor(connection: Connection) {
    this.#selectEnd = connection.prepare(
      'select l.log, (select max(e.seq) from audit_entries e where e.log = l.log) as newest from audit_logs l where l.tenant = ?',
    );
    this.#insertLog = connection.prepare('insert into audit_logs (tenant) values (?)');
    this.#insertOne = connection.prepare(insertOf(1));
    this.#insertMany = connection.prepare(insertOf(ROWS_AT_ONCE));
  }

  readEnd(tenant: string): LogEnd {
    const row = this.#selectEnd.get(tenant);
    if (row === undefined) return { log: Number(this.#insertLog.run(tenant).lastInsertRowid), seq: 0 };
    return { log: Number(row['log']), seq: row['newest'] === null ? 0 : Number(row['newest']) + 1 };
  }

  add({ log, seq }: LogEnd, text: string, key: number | null, marks: RowMarks): void {
    const { requestId = null, lease = null, closes = null } = marks;
    this.#waiting.push(log, seq, key, requestId, lease, closes, text);
    if (this.#waiting.length === ROWS_AT_ONCE * COLUMNS.length) {
      this.#insertMany.run(...this.#waiting);
      this.#waiting = [];
    }
  }

  write(): void {
    for (let first = 0; first < this.#waiting.length; first += COLUMNS.length) {
      this.#insertOne.run(...this.#waiting.slice(first, first + COLUMNS.length));
    }
    this.#waiting = [];
  }

  drop(): void {
    this.#waiting = [];
  }
}

function insertOf(rows: number): string {
  const row = `(${COLUMNS.map(() => '?').join(', ')})`;
  return `insert into audit_entries (${COLUMNS.join(', ')}) values ${Array(rows).fill(row).join(', ')}`;
}
