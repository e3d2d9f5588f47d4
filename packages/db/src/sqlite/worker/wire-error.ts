import type { WireError } from '../../journal/batch.ts';
import { DbError, type DbErrorCode } from '../../ports/db-error.ts';

/** Extended result codes of SQLite (sqlite.org/rescode.html). */
const CODE_OF_CONSTRAINT: Readonly<Record<number, DbErrorCode>> = {
  275: 'invalid', // SQLITE_CONSTRAINT_CHECK
  787: 'not_found', // SQLITE_CONSTRAINT_FOREIGNKEY
  1299: 'invalid', // SQLITE_CONSTRAINT_NOTNULL
  1555: 'conflict', // SQLITE_CONSTRAINT_PRIMARYKEY
  2067: 'conflict', // SQLITE_CONSTRAINT_UNIQUE
  3091: 'invalid', // SQLITE_CONSTRAINT_DATATYPE
};

/** SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_RANGE: about the values given, not about the engine. */
const CODES_OF_VALUES: ReadonlySet<number> = new Set([18, 20, 25]);

/**
 * What the main thread learns of an error. SQLite's messages name table and column, never a value, so they are passed on. What
 * is neither a constraint nor about the values given counts as the engine being unavailable.
 */
export function toWireError(error: unknown): WireError {
  if (error instanceof DbError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  const engineCode = engineCodeOf(error);
  if (engineCode === undefined) {
    const isAboutValues = error instanceof TypeError || error instanceof RangeError;
    return { code: isAboutValues ? 'invalid' : 'unavailable', message };
  }
  const code = CODE_OF_CONSTRAINT[engineCode] ?? (CODES_OF_VALUES.has(engineCode & 0xff) ? 'invalid' : 'unavailable');
  return { code, message: `SQLite: ${message}` };
}

/** True when the error is about the record itself, so that another record may well be stored. */
export function isAboutRecord(error: unknown): boolean {
  return toWireError(error).code !== 'unavailable';
}

function engineCodeOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}
