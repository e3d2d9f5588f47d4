export type DbErrorCode =
  /** A row of that identity exists already. */
  | 'conflict'
  /** No such row in that tenant. */
  | 'not_found'
  /** The row has changed since the version that the caller read. */
  | 'stale'
  /** An argument that no correct caller gives: empty identifier, bad enum, bad transition, foreign transaction. */
  | 'invalid'
  /** The database does not answer, is full, read-only or closed. Nothing of the operation is known to be stored. */
  | 'unavailable';

/** Every failure of a repository. The message names table and column, never a value that could be secret. */
export class DbError extends Error {
  override readonly name = 'DbError';
  readonly code: DbErrorCode;

  constructor(code: DbErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
