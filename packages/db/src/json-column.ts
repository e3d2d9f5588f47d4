import { DbError } from './ports/db-error.ts';

/** What a JSON column is written from; both engines take the text. */
export function toJsonColumn(value: unknown): string {
  return JSON.stringify(value);
}

interface Parser<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** Reads a JSON column back into its tagged shape; fails `invalid` naming table and column, never the value. */
export function fromJsonColumn<T>(column: string, value: unknown, parser: Parser<T>): T {
  const parsed = parser.safeParse(typeof value === 'string' ? parseText(column, value) : value);
  if (!parsed.success) throw corrupt(column);
  return parsed.data;
}

function parseText(column: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw corrupt(column);
  }
}

function corrupt(column: string): DbError {
  return new DbError('invalid', `the stored value of ${column} does not have the form that this program knows`);
}

/** A parser of whatever a guard takes. */
export function guardParser<T>(belongs: (value: unknown) => value is T): Parser<T> {
  return { safeParse: (value) => (belongs(value) ? { success: true, data: value } : { success: false }) };
}

/** A parser of a list of texts of one kind. */
export function textListParser<Text extends string>(belongs: (text: string) => text is Text): Parser<readonly Text[]> {
  const isText = (item: unknown): item is Text => typeof item === 'string' && belongs(item);
  return {
    safeParse: (value) =>
      Array.isArray(value) && value.every(isText) ? { success: true, data: value } : { success: false },
  };
}

export const namesParser: Parser<readonly string[]> = textListParser((text): text is string => text !== '');
