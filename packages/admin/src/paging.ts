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
export async function readPage<T, V>(list: () => Promise<Page<T>>, view: (item: T) => V) {
  try {
    const { items, nextCursor } = await list();
    return { items: items.map(view), ...(nextCursor === undefined ? {} : { nextCursor }) };
  } catch (cause) {
    if (!(cause instanceof DbError) || cause.code !== 'invalid') throw cause;
    throw invalid([{ field: 'cursor', message: 'is not a cursor of this list' }]);
  }
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
