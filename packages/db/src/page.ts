import type { Page, PageRequest } from './ports/context.ts';
import { DbError } from './ports/db-error.ts';

const PAGE_LIMIT_MAX = 1_000;

/** Where a page ends: the sort key of its last row. */
type Position = string | number;

/** How many rows to read: one more than asked shows whether there is a next page. Fails `invalid` outside 1..1000. */
export function rowsToRead(page: PageRequest): number {
  if (!Number.isSafeInteger(page.limit) || page.limit < 1 || page.limit > PAGE_LIMIT_MAX) {
    throw new DbError('invalid', `the limit of a page must be an integer from 1 to ${PAGE_LIMIT_MAX}`);
  }
  return page.limit + 1;
}

export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  list: string,
  read: { item: (row: Row) => Item; position: (row: Row) => Position },
): Page<Item> {
  const shown = rows.slice(0, limit);
  const items = shown.map(read.item);
  const last = shown.at(-1);
  return rows.length > limit && last !== undefined
    ? { items, nextCursor: encodeCursor(list, read.position(last)) }
    : { items };
}

/** base64url of the JSON of the list's name and the position; opaque to everyone else. */
export function encodeCursor(list: string, position: Position): string {
  return Buffer.from(JSON.stringify([list, position])).toString('base64url');
}

/** The name after which the page begins; undefined for the first page. Fails `invalid` for a cursor that this list did not make. */
export function decodeTextCursor(list: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const position = decodePosition(list, cursor);
  if (typeof position !== 'string') throw badCursor(list);
  return position;
}

export function decodeNumberCursor(list: string, cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const position = decodePosition(list, cursor);
  if (typeof position !== 'number' || !Number.isSafeInteger(position)) throw badCursor(list);
  return position;
}

/** Where a page of a list by time, then id, ends. */
export function timePosition(row: { readonly created_at: number; readonly id: string }): string {
  return `${row.created_at} ${row.id}`;
}

/** The way back from `timePosition`. */
export function decodeTimeCursor(
  list: string,
  cursor: string | undefined,
): { readonly createdAt: number; readonly id: string } | undefined {
  const text = decodeTextCursor(list, cursor);
  if (text === undefined) return undefined;
  const match = /^(\d{1,16}) (.+)$/s.exec(text);
  if (match === null) throw badCursor(list);
  return { createdAt: Number(match[1]), id: match[2] as string };
}

function decodePosition(list: string, cursor: string): unknown {
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.toString('base64url') !== cursor) throw badCursor(list);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw badCursor(list);
  }
  if (!Array.isArray(value) || value.length !== 2 || value[0] !== list) throw badCursor(list);
  return value[1];
}

function badCursor(list: string): DbError {
  return new DbError('invalid', `the cursor was not made by the list ${list}`);
}
