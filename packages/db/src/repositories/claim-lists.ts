import { type RawBuilder, sql } from 'kysely';
import { requireOneOf } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { decodeNumberCursor, encodeCursor, rowsToRead, toPage } from '../page.ts';
import { CLAIM_STATES, type ClaimRecord, type ClaimState } from '../ports/claims.ts';
import type { Page, PageRequest } from '../ports/context.ts';
import { type JoinedClaimRow, requireClaimRecord, selectClaims, whereReads } from './claim-rows.ts';

const LIST = 'claims';

/** Places that are looked at from the newest down: first a few, for mostly that is enough, then as many as a page may cost. */
const PLACES_AT_FIRST = 2_000;
const PLACES_MAX = 5_000;
/** An integration's newest claims are looked at as they are, so many for each that is wanted. */
const FIRST_LOOK = 2;
/** The claims of an agent with no more are found by their keys, and sorted. */
const AGENT_CLAIMS_FEW = 500;

/** Found by small indexes of their own. */
const RARE_STATES: readonly (ClaimState | undefined)[] = ['unknown', 'dispatching', 'awaiting_approval'];

export interface ClaimFilter {
  readonly state?: ClaimState;
  readonly agent?: string;
  readonly integration?: string;
}

/**
 * One page, newest first. Claims lie in the order of their making, those of all tenants in one, and few indexes are kept, for each call with a
 * key pays for them. So a page of all claims looks at the newest; one of an integration at the newest of its own. Where there is too little
 * among them it looks at more, and ends where it may cost no more. Those of an agent are found by their key, unless they are many.
 */
export async function listClaims(
  dbClient: DbClient,
  tenant: string,
  filter: ClaimFilter,
  page: PageRequest & { readonly nowMs: number },
): Promise<Page<ClaimRecord>> {
  if (filter.state !== undefined) requireOneOf('claims.state', filter.state, CLAIM_STATES);
  const before = decodeNumberCursor(LIST, page.cursor) ?? Number.MAX_SAFE_INTEGER;
  const search = { dbClient, tenant, filter, nowMs: page.nowMs, before, wanted: rowsToRead(page) };
  if (RARE_STATES.includes(filter.state) && filter.state !== undefined) {
    return toClaimPage(await selectPage(search, [0, before]), page);
  }
  if (filter.agent !== undefined) return toClaimPage(await listOfAgent(search), page);
  const { rows, lookedTo } = await (filter.integration === undefined ? listNewest : listOfIntegration)(search);
  const found = toClaimPage(rows, page);
  if (lookedTo === undefined || found.nextCursor !== undefined) return found;
  return { ...found, nextCursor: encodeCursor(LIST, lookedTo) };
}

interface ClaimSearch {
  readonly dbClient: DbClient;
  readonly tenant: string;
  readonly filter: ClaimFilter;
  readonly nowMs: number;
  /** Only places below. */
  readonly before: number;
  readonly wanted: number;
}

interface LookedAt {
  readonly rows: JoinedClaimRow[];
  /** Places below were not looked at; undefined: all were. */
  readonly lookedTo?: number;
}

async function listNewest(search: ClaimSearch): Promise<LookedAt> {
  const { oldest, newest } = await readEnds(search.dbClient);
  const end = Math.min(search.before, newest + 1);
  const first = Math.max(oldest, end - PLACES_AT_FIRST);
  const rows = await selectPage(search, [first, end]);
  if (rows.length === search.wanted || first === oldest) return { rows };
  const last = Math.max(oldest, end - PLACES_MAX);
  rows.push(...(await selectPage({ ...search, wanted: search.wanted - rows.length }, [last, first])));
  return last === oldest ? { rows } : { rows, lookedTo: last };
}

/** Mostly the first look is enough: of what is asked for without a state nearly all is shown. */
async function listOfIntegration(search: ClaimSearch): Promise<LookedAt> {
  const first = await readFloor(search, FIRST_LOOK * search.wanted);
  const rows = await selectOfIntegration(search, first ?? 0);
  if (rows.length === search.wanted || first === undefined) return { rows };
  const last = await readFloor(search, PLACES_MAX);
  const all = await selectOfIntegration(search, last ?? 0);
  return last === undefined ? { rows: all } : { rows: all, lookedTo: last };
}

async function listOfAgent(search: ClaimSearch): Promise<JoinedClaimRow[]> {
  if (await hasFewClaims(search)) return selectOfAgent(search);
  const { newest } = await readEnds(search.dbClient);
  const end = Math.min(search.before, newest + 1);
  const rows = await selectPage(search, [end - PLACES_AT_FIRST, end]);
  return rows.length === search.wanted ? rows : selectOfAgent(search);
}

async function readEnds(dbClient: DbClient): Promise<{ oldest: number; newest: number }> {
  const end = (which: 'min' | 'max') => sql<number | null>`(select ${sql.raw(which)}(place) from claims)`;
  const { rows } = await sql<{ oldest: number | null; newest: number | null }>`
    select ${end('min')} as oldest, ${end('max')} as newest`.execute(dbClient.lists(INSTANCE_SCOPE));
  return { oldest: rows[0]?.oldest ?? 0, newest: rows[0]?.newest ?? -1 };
}

/** The place down to which so many claims of the integration lie; undefined when there are not so many. */
async function readFloor({ dbClient, tenant, filter, before }: ClaimSearch, count: number) {
  const row = await dbClient
    .lists(tenant)
    .selectFrom('claims')
    .select('place')
    .where('tenant', '=', tenant)
    .where('integration', '=', filter.integration ?? '')
    .where('place', '<', before)
    .orderBy('place', 'desc')
    .limit(1)
    .offset(count - 1)
    .executeTakeFirst();
  return row?.place;
}

async function hasFewClaims({ dbClient, tenant, filter }: ClaimSearch): Promise<boolean> {
  const beyond = await dbClient
    .lists(tenant)
    .selectFrom('claims')
    .select('agent')
    .where('tenant', '=', tenant)
    .where('agent', '=', filter.agent ?? '')
    .limit(1)
    .offset(AGENT_CLAIMS_FEW)
    .executeTakeFirst();
  return beyond === undefined;
}

/** Of the places `from` up to `to`, exclusive. So written, the tenant leads to no index: an engine would collect and sort all of its claims. */
function selectPage(search: ClaimSearch, [from, to]: readonly [number, number]): Promise<JoinedClaimRow[]> {
  return selectWhere(search, sql<string>`c.tenant || ''`)
    .where('c.place', '>=', from)
    .where('c.place', '<', to)
    .orderBy('c.place', 'desc')
    .limit(search.wanted)
    .execute();
}

/** From the place `from` up; the index of an integration's claims gives them in their order. */
function selectOfIntegration(search: ClaimSearch, from: number): Promise<JoinedClaimRow[]> {
  return selectWhere(search, sql<string>`c.tenant`)
    .where('c.place', '>=', from)
    .where('c.place', '<', search.before)
    .orderBy('c.place', 'desc')
    .limit(search.wanted)
    .execute();
}

/** All of the agent's are collected and sorted: so written, their order leads to no index. */
function selectOfAgent(search: ClaimSearch): Promise<JoinedClaimRow[]> {
  return selectWhere(search, sql<string>`c.tenant`)
    .where(sql<boolean>`+c.place < ${search.before}`)
    .orderBy(sql`+c.place`, 'desc')
    .limit(search.wanted)
    .execute();
}

function selectWhere({ dbClient, tenant, filter, nowMs, before, wanted }: ClaimSearch, ofTenant: RawBuilder<string>) {
  const { state, agent, integration } = filter;
  const all = selectClaims(dbClient.lists(tenant), 'without answers').where(ofTenant, '=', tenant);
  let query = whereReads(dbClient, all, { agent, integration, before, limit: wanted, tenant, state, nowMs });
  if (agent !== undefined) query = query.where('c.agent', '=', agent);
  if (integration !== undefined) query = query.where('c.integration', '=', integration);
  return query;
}

function toClaimPage(rows: readonly JoinedClaimRow[], { limit, nowMs }: PageRequest & { readonly nowMs: number }) {
  return toPage(rows, limit, LIST, { item: (row) => requireClaimRecord(row, nowMs), position: (row) => row.place });
}
