import { DbError, type DbErrorCode } from '../ports/db-error.ts';

/** SQLSTATEs that are about the rows or the values given; of all others the engine counts as unavailable. (PostgreSQL, appendix A.) */
const CODES: Readonly<Record<string, readonly [code: DbErrorCode, words: string]>> = {
  '23505': ['conflict', 'a unique constraint'],
  '23P01': ['conflict', 'an exclusion constraint'],
  '23503': ['not_found', 'a foreign key'],
  '23514': ['invalid', 'a check constraint'],
  '23502': ['invalid', 'a column that must not be null'],
  // program_limit_exceeded: a value too long for its index.
  '54000': ['invalid', 'a value that is too long'],
};

/** Why an engine does not answer, for whoever reads the message. */
const REASONS: Readonly<Record<string, string>> = {
  '25006': 'the database is read-only',
  '25P02': 'a statement of the transaction has failed before',
  '25P03': 'the transaction was idle for too long',
  '25P04': 'the transaction took too long',
  '28000': 'the server refuses this role',
  '28P01': 'the server refuses the password',
  '3D000': 'there is no such database',
  '40001': 'another transaction was in the way',
  '40P01': 'a deadlock was broken',
  '42501': 'the role lacks a right',
  '42P01': 'a table is missing',
  '53100': 'the disk is full',
  '53300': 'the server has too many connections',
  '55P03': 'a lock was not to be had in time',
  '57014': 'the statement took too long',
  '57P01': 'the server is shutting down',
  '57P02': 'the server has crashed',
  '57P03': 'the server is starting or stopping',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection broke',
  ENOTFOUND: 'there is no such host',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'the host does not answer',
};

/** A failed check of row security has the code of a missing right, and this for its origin. */
const ROW_SECURITY_ROUTINE = 'ExecWithCheckOptions';

/**
 * What repositories learn of an error. PostgreSQL's own words may hold values, so only its code and the names of table, column and
 * constraint are passed on; for the same reason it is not kept as the cause.
 */
export function toDbError(error: unknown): DbError {
  if (error instanceof DbError) return error;
  const fields = typeof error === 'object' && error !== null ? (error as Readonly<Record<string, unknown>>) : {};
  const state = text(fields['code']);
  if (state === undefined) return new DbError('unavailable', `PostgreSQL: ${wordsOf(error)}`);
  if (state === '42501' && fields['routine'] === ROW_SECURITY_ROUTINE) {
    return new DbError(
      'invalid',
      `PostgreSQL: row security${placeOf(fields)} refuses a row of another tenant (${state})`,
    );
  }
  const known = CODES[state];
  if (known !== undefined)
    return new DbError(known[0], `PostgreSQL: ${known[1]}${placeOf(fields)} is not met (${state})`);
  // Class 22, data exceptions: NUL in a text, a number out of range, JSON that is none.
  if (state.startsWith('22')) return new DbError('invalid', `PostgreSQL: a value does not fit its column (${state})`);
  return new DbError('unavailable', `PostgreSQL: ${REASONS[state] ?? 'it refuses'} (${state})`);
}

/** Messages of the driver about its own connections, which name no value; anything else could. */
const DRIVER_WORDS: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/timeout exceeded when trying to connect/, 'no connection was free in time'],
  [/connection timeout/i, 'the server does not answer'],
  [/Connection terminated|connection error|not queryable/, 'the connection broke'],
  [/after calling end on the pool/, 'the database is closed'],
  [/does not support SSL/, 'the server does not support TLS'],
];

function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  return DRIVER_WORDS.find(([pattern]) => pattern.test(message))?.[1] ?? 'the connection failed';
}

function placeOf(fields: Readonly<Record<string, unknown>>): string {
  const [table, column, constraint] = [text(fields['table']), text(fields['column']), text(fields['constraint'])];
  const place = column === undefined ? table : `${table}.${column}`;
  return `${constraint === undefined ? '' : ` ${constraint}`}${place === undefined ? '' : ` of ${place}`}`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
