import { type RawBuilder, sql } from 'kysely';
import { requireOneOf } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { decodeNumberCursor, encodeCursor, rowsToRead, toPage } from '../page.ts';
import { CLAIM_STATES, type ClaimRecord, type ClaimState } from '../ports/claims.ts';
import type { Page, PageRequest } from '../ports/context.ts';
import { type AskedClaims, type JoinedClaimRow, requireClaimRecord, selectClaims, whereReads } from './claim-rows.ts';

const LIST = 'claims';

/** Places that are looked at from the newest down: first a few, for mostly that is enough, then as many as a page may cost. */
const PLACES_AT_FIRST = 2_000;
const PLACES_MAX = 5_000;

/** Found by small indexes of their own. */
const RARE_STATES: readonly (ClaimState | undefined)[] = ['unknown', 'dispatching', 'awaiting_approval'];

export interface ClaimFilter {
  readonly state?: ClaimState;
  readonly agent?: string;
  readonly integration?: string;
}

/**
 * One page, newest first. Claims lie in the order of their making, those of all tenants in one, and few indexes are kept, for each call with a
 * key would pay for them. So a page looks at the newest claims; when there is too little among them it finds those of an agent by their
 * key, and of others it looks at more, and ends where it may cost no more.
 */
export async function listClaims(
  dbClient: DbClient,
  tenant: string,
  filter: ClaimFilter,
  page: PageRequest & { readonly nowMs: number },
): Promise<Page<ClaimRecord>> {
  if (filter.state !== undefined) requireOneOf('claims.state', filter.state, CLAIM_STATES);
  const wanted = rowsToRead(page);
  const search = { dbClient, tenant, filter, nowMs: page.nowMs };
  const before = decodeNumberCursor(LIST, page.cursor) ?? Number.MAX_SAFE_INTEGER;
  if (RARE_STATES.includes(filter.state) && filter.state !== undefined) {
    return toClaimPage(await selectPage(search, [0, before], wanted), page);
  }
  const { oldest, newest } = await readEnds(dbClient);
  const end = Math.min(before, newest + 1);
  const first = Math.max(oldest, end - PLACES_AT_FIRST);
  const rows = await selectPage(search, [first, end], wanted);
  if (rows.length === wanted || first === oldest) return toClaimPage(rows, page);
  if (filter.agent !== undefined) return toClaimPage(await selectOfAgent(search, before, wanted), page);
  const last = Math.max(oldest, end - PLACES_MAX);
  rows.push(...(await selectPage(search, [last, first], wanted - rows.length)));
  const found = toClaimPage(rows, page);
  if (last === oldest || found.nextCursor !== undefined) return found;
  return { ...found, nextCursor: encodeCursor(LIST, last) };
}

async function readEnds(dbClient: DbClient): Promise<{ oldest: number; newest: number }> {
  const end = (which: 'min' | 'max') => sql<number | null>`(select ${sql.raw(which)}(place) from claims)`;
  const { rows } = await sql<{ oldest: number | null; newest: number | null }>`
    select ${end('min')} as oldest, ${end('max')} as newest`.execute(dbClient.lists(INSTANCE_SCOPE));
  return { oldest: rows[0]?.oldest ?? 0, newest: rows[0]?.newest ?? -1 };
}

interface ClaimSearch {
  readonly dbClient: DbClient;
  readonly tenant: string;
  readonly filter: ClaimFilter;
  readonly nowMs: number;
}

/** Of the places `from` up to `to`, exclusive. So written, the tenant leads to no index: an engine would collect and sort all of its claims. */
function selectPage(
  search: ClaimSearch,
  [from, to]: readonly [number, number],
  limit: number,
): Promise<JoinedClaimRow[]> {
  return selectWhere(search, sql<string>`c.tenant || ''`, { before: to, limit })
    .where('c.place', '>=', from)
    .where('c.place', '<', to)
    .orderBy('c.place', 'desc')
    .limit(limit)
    .execute();
}

/** All of the agent's are collected and sorted: so written, their order leads to no index. */
function selectOfAgent(search: ClaimSearch, before: number, limit: number): Promise<JoinedClaimRow[]> {
  return selectWhere(search, sql<string>`c.tenant`, { before, limit })
    .where(sql<boolean>`+c.place < ${before}`)
    .orderBy(sql`+c.place`, 'desc')
    .limit(limit)
    .execute();
}

function selectWhere(
  { dbClient, tenant, filter, nowMs }: ClaimSearch,
  ofTenant: RawBuilder<string>,
  bounds: Pick<AskedClaims, 'before' | 'limit'>,
) {
  const { state, agent, integration } = filter;
  const all = selectClaims(dbClient.lists(tenant), 'without answers').where(ofTenant, '=', tenant);
  let query = whereReads(all, { ...filter, ...bounds, tenant, state, nowMs });
  if (agent !== undefined) query = query.where('c.agent', '=', agent);
  if (integration !== undefined) query = query.where('c.integration', '=', integration);
  return query;
}

function toClaimPage(rows: readonly JoinedClaimRow[], { limit, nowMs }: PageRequest & { readonly nowMs: number }) {
  return toPage(rows, limit, LIST, { item: (row) => requireClaimRecord(row, nowMs), position: (row) => row.place });
}
