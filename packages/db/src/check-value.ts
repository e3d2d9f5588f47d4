import { requireText } from './check.ts';
import { toJsonColumn } from './json-column.ts';
import { DbError } from './ports/db-error.ts';

const SHA_256_HEX = /^[0-9a-f]{64}$/;
/** A local part of at most 64 characters and a domain of at most 253, in lower case; what is stranger is no address that a person signs up with. */
const EMAIL =
  /^[^\s@<>"(),:;\\[\]\p{Cc}\p{Cf}]{1,64}@(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/u;
/** In JSON text as `JSON.stringify` writes it: a NUL, or half of a surrogate pair (a whole one is no escape); `jsonb` takes neither. */
const UNSTORABLE_ESCAPE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** As `requireText`, and: no longer than `lengthMax`, without NUL, well-formed. No engine gives anything else back as it was. */
export function requirePlainText(column: string, value: string, lengthMax: number): void {
  requireText(column, value);
  if (value.length > lengthMax) throw new DbError('invalid', `${column} must have at most ${lengthMax} characters`);
  if (value.includes('\0') || !value.isWellFormed()) throw new DbError('invalid', `${column} must be well-formed text`);
}

export function requireOptionalText(column: string, value: string | undefined, lengthMax: number): void {
  if (value !== undefined) requirePlainText(column, value, lengthMax);
}

/** A SHA-256 in lower-case hex: what is handed over in clear by mistake has another form. */
export function requireHash(column: string, value: string): void {
  if (typeof value !== 'string' || !SHA_256_HEX.test(value)) {
    throw new DbError('invalid', `${column} must be a SHA-256 in lower-case hex`);
  }
}

export function requireIntegerBetween(column: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new DbError('invalid', `${column} must be an integer from ${least} to ${most}`);
  }
}

/** The address in lower case. */
export function toEmail(column: string, value: string): string {
  const email = typeof value === 'string' ? value.toLowerCase() : '';
  if (!EMAIL.test(email)) throw new DbError('invalid', `${column} must be an e-mail address`);
  return email;
}

export function requireUnique(column: string, values: readonly string[]): void {
  if (new Set(values).size !== values.length) throw new DbError('invalid', `${column} must not repeat an item`);
}

/** The text of a JSON column of a value that came from outside: at most `bytesMax`, and nothing that an engine refuses. */
export function toBoundedJson(column: string, value: unknown, bytesMax: number): string {
  const text: string | undefined = toJsonColumn(value);
  if (text === undefined) throw new DbError('invalid', `${column} must be a JSON value`);
  if (Buffer.byteLength(text) > bytesMax) throw new DbError('invalid', `${column} must have at most ${bytesMax} bytes`);
  if (UNSTORABLE_ESCAPE.test(text)) throw new DbError('invalid', `${column} must hold no NUL and no broken characters`);
  return text;
}
