import { type RawBuilder, sql } from 'kysely';
import { decodeTimeCursor, rowsToRead } from './page.ts';
import type { PageRequest } from './ports/context.ts';

interface Ordered {
  where(condition: RawBuilder<boolean>): this;
  orderBy(column: RawBuilder<unknown>, direction: 'desc'): this;
  limit(rows: number): this;
}

/** One page of rows by time, then by id, both descending; `toPage` with `timePosition` makes the page of it. */
export function newestFirst<Query extends object>(
  query: Query,
  list: string,
  page: PageRequest,
  columns: { readonly time: string; readonly id: string } = { time: 'created_at', id: 'id' },
): Query {
  const [time, id] = [sql.ref<number>(columns.time), sql.ref<string>(columns.id)];
  const before = decodeTimeCursor(list, page.cursor);
  let ordered = query as unknown as Ordered;
  if (before !== undefined)
    ordered = ordered.where(sql<boolean>`(${time}, ${id}) < (${before.createdAt}, ${before.id})`);
  return ordered.orderBy(time, 'desc').orderBy(id, 'desc').limit(rowsToRead(page)) as unknown as Query;
}
