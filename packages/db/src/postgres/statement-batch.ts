import type { Client, Submittable } from 'pg';
import { DbError } from '../ports/db-error.ts';
import { type Parameter, readerOf, toParameter } from './column-values.ts';
import type { PreparedStatements } from './prepared-statements.ts';

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** Its rows are of no use, so they are not read. */
  readonly isSilent?: boolean;
}

export interface Answer {
  readonly rows: Record<string, unknown>[];
  /** Rows inserted, changed or deleted; undefined for statements that change none. */
  readonly changes: number | undefined;
  /** The first word of the server's command tag: `SELECT`, `COMMIT`, `ROLLBACK`, … */
  readonly command: string;
}

/** As much of the driver's connection as is used here; the driver gives it to whoever submits a query of his own. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void; destroy(): void };
  parse(message: { name: string; text: string; types: readonly number[] }): void;
  bind(message: { statement: string; values: readonly (string | Buffer | null)[] }): void;
  describe(message: { type: 'P' }): void;
  execute(message: object): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

interface Column {
  readonly name: string;
  readonly read: (text: string) => unknown;
}

/** The protocol counts parameters in 16 bits. */
const PARAMETERS_MAX = 65_535;

/**
 * Sends statements in one go and reads all their answers: one round trip, and one transaction, which ends with the last of them unless a
 * statement says `begin` (the extended protocol's messages up to one Sync; documentation of PostgreSQL, 54.2.4). Each sees what those
 * before it did, and has a snapshot of its own. After one that fails none runs. Rejects with whatever the driver says, and with
 * `unavailable` when the server does not answer one of them within `answerMs`; the connection is gone then.
 */
export async function runBatch(
  client: Client,
  prepared: PreparedStatements,
  statements: readonly Statement[],
  answerMs: number,
): Promise<readonly Answer[]> {
  const encoded = statements.map(encode);
  return new Promise((resolve, reject) => {
    client.query(submittableOf(encoded, { prepared, answerMs, resolve, reject }) as unknown as Submittable);
  });
}

interface Encoded extends Statement {
  readonly encoded: readonly Parameter[];
}

function encode(statement: Statement): Encoded {
  if (statement.parameters.length > PARAMETERS_MAX) {
    throw new DbError('invalid', `PostgreSQL: a statement takes ${PARAMETERS_MAX} parameters at most`);
  }
  return { ...statement, encoded: statement.parameters.map(toParameter) };
}

interface Terms {
  readonly prepared: PreparedStatements;
  readonly answerMs: number;
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: unknown) => void;
}

/** What the driver calls, in the order in which the server answers. */
function submittableOf(statements: readonly Encoded[], { prepared, answerMs, resolve, reject }: Terms) {
  const answers: Answer[] = [];
  let columns: readonly Column[] = [];
  let rows: Record<string, unknown>[] = [];
  let failure: unknown;
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;

  const fail = (error: unknown) => {
    clearTimeout(timer);
    prepared.failed();
    reject(isLate ? new DbError('unavailable', `PostgreSQL: no answer within ${answerMs} ms`) : error);
  };
  return {
    submit(wire: Wire): Error | null {
      const waitOn = () => {
        isLate = true;
        wire.stream.destroy();
      };
      timer = setTimeout(waitOn, answerMs);
      wire.stream.cork();
      try {
        for (const statement of statements) send(wire, prepared, statement);
        wire.sync();
        return null;
      } catch (error) {
        // Half of it may be on its way.
        wire.stream.destroy();
        return error as Error;
      } finally {
        wire.stream.uncork();
      }
    },
    handleRowDescription({ fields }: { fields: readonly Field[] }): void {
      columns = fields.map(({ name, dataTypeID }) => ({ name, read: readerOf(dataTypeID) }));
    },
    handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
      if (failure !== undefined || statements[answers.length]?.isSilent === true) return;
      try {
        rows.push(readRow(columns, fields));
      } catch (error) {
        failure = error;
      }
    },
    handleCommandComplete({ text }: { text: string }): void {
      answers.push(answerOf(text, rows));
      [rows, columns] = [[], []];
      timer?.refresh();
    },
    handleEmptyQuery(): void {
      answers.push({ rows: [], changes: undefined, command: '' });
    },
    handlePortalSuspended: () => undefined,
    handleCopyInResponse: () => undefined,
    handleCopyData: () => undefined,
    handleError: fail,
    handleReadyForQuery(): void {
      if (failure !== undefined) return fail(failure);
      clearTimeout(timer);
      prepared.succeeded();
      resolve(answers);
    },
  };
}

function send(wire: Wire, prepared: PreparedStatements, { sql, encoded, isSilent }: Encoded): void {
  const types = encoded.map(({ type }) => type);
  const { name, isNew, over } = prepared.take(sql, types);
  for (const each of over) wire.close({ type: 'S', name: each });
  if (isNew) wire.parse({ name, text: sql, types });
  wire.bind({ statement: name, values: encoded.map(({ value }) => value) });
  if (isSilent !== true) wire.describe({ type: 'P' });
  wire.execute({});
}

function readRow(columns: readonly Column[], fields: readonly (string | null)[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [index, { name, read }] of columns.entries()) {
    const text = fields[index];
    row[name] = text === null || text === undefined ? null : read(text);
  }
  return row;
}

/** `INSERT 0 3`, `UPDATE 1`, `SELECT 7`, `BEGIN`: the last word counts. */
function answerOf(tag: string, rows: Record<string, unknown>[]): Answer {
  const words = tag.split(' ');
  const command = words[0] ?? '';
  const isChange = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE';
  return { rows, changes: isChange ? Number(words.at(-1)) : undefined, command };
}
