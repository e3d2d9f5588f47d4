import { DbError, type Page, type PageRequest } from '@postern/db/ports';
import { z } from 'zod';
import { invalid } from './validator.ts';

/** Specification section 7. */
const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 100;
/** The most that a store gives at once. */
const READ_ALL_LIMIT = 1_000;

/** The query members of every list. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT).describe('Items of one page'),
  cursor: z.string().max(512).optional().describe('`nextCursor` of the page before'),
});

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().optional() });
}

/** One page with each item in the form the API gives it. A cursor that no list made is refused. */
export function readPage<T, V>(list: () => Promise<Page<T>>, view: (item: T) => V) {
  return readPageOf(list, async (item) => view(item));
}

/** As `readPage`, for items of which the view needs to read more. */
export async function readPageOf<T, V>(list: () => Promise<Page<T>>, view: (item: T) => Promise<V>) {
  const { items, nextCursor } = await checkCursor(list);
  const viewed: V[] = [];
  for (const item of items) viewed.push(await view(item));
  return { items: viewed, ...(nextCursor === undefined ? {} : { nextCursor }) };
}

async function checkCursor<T>(list: () => Promise<Page<T>>): Promise<Page<T>> {
  try {
    return await list();
  } catch (cause) {
    if (!(cause instanceof DbError) || cause.code !== 'invalid') throw cause;
    throw invalid([{ field: 'cursor', message: 'is not a cursor of this list' }]);
  }
}

export interface SortedList<T> {
  /** Tells its cursors from those of other lists. */
  readonly list: string;
  readonly positionOf: (item: T) => string | number;
  /** Whether the item stands behind the position. */
  readonly isAfter: (item: T, position: string | number) => boolean;
}

/** One page of a list that is at hand whole, in its order. A cursor that the list did not make is refused. */
export function pageOfSorted<T>(
  items: readonly T[],
  { limit, cursor }: PageRequest,
  { list, positionOf, isAfter }: SortedList<T>,
): { items: T[]; nextCursor?: string } {
  const position = cursor === undefined ? undefined : positionIn(list, cursor);
  const left = position === undefined ? items : items.filter((item) => isAfter(item, position));
  const shown = left.slice(0, limit);
  const last = shown.at(-1);
  if (left.length <= limit || last === undefined) return { items: shown };
  return { items: shown, nextCursor: Buffer.from(JSON.stringify([list, positionOf(last)])).toString('base64url') };
}

function positionIn(list: string, cursor: string): string | number {
  try {
    const [name, position]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (name === list && (typeof position === 'string' || typeof position === 'number')) return position;
  } catch {
    // What is no JSON is no cursor either: told below.
  }
  throw invalid([{ field: 'cursor', message: 'is not a cursor of this list' }]);
}

/** All items of a list, page by page. */
export async function readAll<T>(list: (page: PageRequest) => Promise<Page<T>>): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await list({ limit: READ_ALL_LIMIT, ...(cursor === undefined ? {} : { cursor }) });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}
