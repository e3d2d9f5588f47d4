import { sql } from 'kysely';
import type { DbClient } from '../client.ts';
import { decodeTimeCursor, rowsToRead } from '../page.ts';
import type { PageRequest } from '../ports/context.ts';
import type { GrantRow } from '../tables.ts';
import { usableAt } from './grant-rows.ts';

export const GRANTS_LIST = 'grants';

export interface GrantFilter {
  readonly agent?: string;
  readonly isUsable?: boolean;
}

/** One more than the page takes, by time, then by id, both descending. */
export function selectGrantPage(
  dbClient: DbClient,
  tenant: string,
  { agent, isUsable }: GrantFilter,
  page: PageRequest & { readonly nowMs: number },
): Promise<GrantRow[]> {
  const before = decodeTimeCursor(GRANTS_LIST, page.cursor);
  // Nearly all that were ever given are over. Those that are not are collected and sorted: so written, their order leads to no index.
  const createdAt = sql<number>`${sql.raw(isUsable === true && agent === undefined ? '+created_at' : 'created_at')}`;
  let query = dbClient.lists(tenant).selectFrom('grants').selectAll().where('tenant', '=', tenant);
  if (agent !== undefined) query = query.where('agent', '=', agent);
  if (isUsable === true) query = query.where('expires_at', '>', page.nowMs);
  if (isUsable !== undefined) {
    const usable = usableAt(page.nowMs);
    query = query.where(isUsable ? usable : sql<boolean>`not ${usable}`);
  }
  if (before !== undefined) query = query.where(sql<boolean>`(${createdAt}, id) < (${before.createdAt}, ${before.id})`);
  return query.orderBy(createdAt, 'desc').orderBy('id', 'desc').limit(rowsToRead(page)).execute();
}
