import type { StatementSync } from 'node:sqlite';
import { encodeEntryText } from '@postern/audit';
import type { Entry, EntryDraft } from '@postern/schemas';
import { makeEntryId } from '../../entry-id.ts';
import { DbError } from '../../ports/db-error.ts';
import { requestKey } from '../../request-key.ts';
import type { Connection } from './connection.ts';

/** What a row says besides its entry. */
export interface RowMarks {
  /** Of intents. */
  readonly requestId?: string;
  readonly lease?: number;
  /** Of outcomes: the seq of their intent. */
  readonly closes?: number | undefined;
}

/** Rows that go into one statement; the start of a statement costs as much as a row. */
const ROWS_AT_ONCE = 8;
const COLUMNS = ['log', 'seq', 'request_key', 'request_id', 'lease', 'closes', 'entry'];
type Value = string | number | null;

/** Where the next entry of a log belongs. */
interface LogEnd {
  readonly log: number;
  seq: number;
}

/**
 * What is appended to the logs within a transaction of the caller, who writes all of it before the commit. All that one connection
 * appends goes through one of these: it knows where the logs end until it is told to forget.
 */
export class EntryRows {
  readonly #selectEnd: StatementSync;
  readonly #insertLog: StatementSync;
  readonly #insertOne: StatementSync;
  readonly #insertMany: StatementSync;
  readonly #ends = new Map<string, LogEnd>();
  #waiting: Value[] = [];

  constructor(connection: Connection) {
    this.#selectEnd = connection.prepare(
      'select l.log, (select max(e.seq) from audit_entries e where e.log = l.log) as newest from audit_logs l where l.tenant = ?',
    );
    this.#insertLog = connection.prepare('insert into audit_logs (tenant) values (?)');
    this.#insertOne = connection.prepare(insertOf(1));
    this.#insertMany = connection.prepare(insertOf(ROWS_AT_ONCE));
  }

  /** Numbers and encodes an entry. */
  append(draft: EntryDraft, marks: RowMarks = {}): { entry: Entry; log: number; seq: number } {
    if (draft.tenant === '') throw new DbError('invalid', 'audit_entries.tenant is empty');
    const end = this.#ends.get(draft.tenant) ?? this.#readEnd(draft.tenant);
    const { log, seq } = end;
    const entry: Entry = { ...draft, v: 1, id: makeEntryId(draft.at, seq), seq };
    const text = encodeEntryText(entry);
    const key = entry.requestId === undefined ? null : requestKey(entry.requestId);
    const { requestId = null, lease = null, closes = null } = marks;
    this.#waiting.push(log, seq, key, requestId, lease, closes, text);
    end.seq = seq + 1;
    if (this.#waiting.length === ROWS_AT_ONCE * COLUMNS.length) {
      this.#insertMany.run(...this.#waiting);
      this.#waiting = [];
    }
    return { entry, log, seq };
  }

  /** Writes what was appended. */
  write(): void {
    for (let first = 0; first < this.#waiting.length; first += COLUMNS.length) {
      this.#insertOne.run(...this.#waiting.slice(first, first + COLUMNS.length));
    }
    this.#waiting = [];
  }

  /** Appends and writes one entry. Whether its transaction will be committed is not known here, so nothing is kept. */
  appendOne(draft: EntryDraft): Entry {
    this.forget();
    try {
      const { entry } = this.append(draft);
      this.write();
      return entry;
    } finally {
      this.forget();
    }
  }

  /** After any rollback, and when another connection may have appended. */
  forget(): void {
    this.#waiting = [];
    this.#ends.clear();
  }

  /** The log begins here when there is none. */
  #readEnd(tenant: string): LogEnd {
    const row = this.#selectEnd.get(tenant);
    const end =
      row === undefined
        ? { log: Number(this.#insertLog.run(tenant).lastInsertRowid), seq: 0 }
        : { log: Number(row['log']), seq: row['newest'] === null ? 0 : Number(row['newest']) + 1 };
    this.#ends.set(tenant, end);
    return end;
  }
}

function insertOf(rows: number): string {
  const row = `(${COLUMNS.map(() => '?').join(', ')})`;
  return `insert into audit_entries (${COLUMNS.join(', ')}) values ${Array(rows).fill(row).join(', ')}`;
}
