import { type Kysely, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import {
  APPROVAL_PROBLEM_MS,
  APPROVAL_PROBLEMS,
  approvalEndOf,
  type ClaimStateRow,
  claimStateOf,
} from '../claim-state.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { fromJsonColumn, guardParser } from '../json-column.ts';
import {
  CLAIM_RESOLUTIONS,
  type ClaimProblem,
  type ClaimRecord,
  type ClaimResolution,
  type ClaimScope,
  type ClaimState,
  type StoredAnswer,
} from '../ports/claims.ts';
import { DbError } from '../ports/db-error.ts';
import type { ClaimRow, Tables } from '../tables.ts';

/** Longer answers do not come along with their claim. */
const ANSWER_BYTES_ALONG_MAX = 65_536;

/** A claim with all that says how it reads. */
export interface JoinedClaimRow extends Omit<ClaimRow, 'place'>, ClaimStateRow {
  readonly place: number;
  readonly node: string | null;
  readonly boot: string | null;
  readonly bytes: number | null;
  readonly sealed: Uint8Array | null;
}

/** Constants are literals, so that the only parameters are those of the conditions that are added. */
export function selectClaims(kysely: Kysely<Tables>, answers: 'with answers' | 'without answers') {
  const along = sql.lit(answers === 'with answers' ? ANSWER_BYTES_ALONG_MAX : -1);
  return kysely
    .selectFrom('claims as c')
    .leftJoin('node_leases as l', 'l.lease', 'c.lease')
    .leftJoin('stored_answers as a', 'a.answer', 'c.answer')
    .leftJoin('approvals as p', (join) =>
      join
        .on(sql<boolean>`c.state = 'awaiting_approval'`)
        .onRef('p.tenant', '=', 'c.tenant')
        .onRef('p.id', '=', 'c.approval_id'),
    )
    .selectAll('c')
    .select(['l.node', 'l.boot', 'l.lease_until', 'a.bytes', 'p.status as approval_status'])
    .select(sql<number | null>`${approvalEnd}`.as('approval_ends_at'))
    .select(sql<Uint8Array | null>`case when a.bytes <= ${along} then a.sealed end`.as('sealed'));
}

const approvalEnd = sql<number>`case p.status when 'pending' then p.expires_at when 'approved' then p.execute_until end`;

/** What a claim is found by; the query is compiled once and run with these, in this order. */
export function compileFind(dbClient: DbClient) {
  const query = selectClaims(dbClient.points(INSTANCE_SCOPE), 'with answers')
    .where('c.tenant', '=', '')
    .where('c.agent', '=', '')
    .where('c.integration', '=', '')
    .where('c.key', '=', '')
    .compile();
  return ({ tenant, agent, integration, key }: ClaimScope) => ({
    ...query,
    parameters: [tenant, agent, integration, key],
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the type of a query is that of all its joins, and says nothing here
type ClaimQuery = SelectQueryBuilder<any, any, any>;

/** Claims that are listed. */
export interface AskedClaims {
  readonly tenant: string;
  readonly state: ClaimState | undefined;
  readonly agent?: string | undefined;
  readonly integration?: string | undefined;
  /** Only places below. */
  readonly before: number;
  /** No more are wanted, the newest first. */
  readonly limit: number;
  readonly nowMs: number;
}

/** Only claims that read so at `nowMs`; undefined: only those that are there. The same judgement as `claimStateOf`. */
export function whereReads<Query extends ClaimQuery>(
  { capabilities }: DbClient,
  query: Query,
  asked: AskedClaims,
): Query {
  const { tenant, state, nowMs } = asked;
  const [before, behind] = capabilities.oneOfFew;
  const isOneOf = (places: RawBuilder<unknown>) => sql`c.place ${sql.raw(before)}${places}${sql.raw(behind)}`;
  const isAlive = sql<boolean>`c.expires_at > ${nowMs}`;
  const isOwned = sql<boolean>`coalesce(l.lease_until, 0) > ${nowMs}`;
  const isOpen = sql<boolean>`coalesce(${approvalEnd}, ${nowMs} + 1) > ${nowMs}`;
  const isTold = sql<boolean>`coalesce(${approvalEnd}, ${nowMs}) + ${sql.lit(APPROVAL_PROBLEM_MS)} > ${nowMs}`;
  switch (state) {
    case undefined:
      return query.where(sql<boolean>`(c.state in ('unknown', 'dispatching') or (${isAlive} and ${isTold}))`) as Query;
    case 'unknown':
      // So that the small indexes of both are used; likewise below.
      return query.where(
        sql<boolean>`${isOneOf(sql`select u.place from (${newestUnknown(asked)}) u
          union all select d.place from claims d where d.state = 'dispatching'`)}
          and (c.state = 'unknown' or not ${isOwned})`,
      ) as Query;
    case 'dispatching':
      return query.where(
        sql<boolean>`${isOneOf(sql`select d.place from claims d where d.state = 'dispatching'`)} and ${isOwned}`,
      ) as Query;
    case 'failed_final':
      return query.where(
        sql<boolean>`${isAlive} and (c.state = 'failed_final' or (c.state = 'awaiting_approval' and not ${isOpen} and ${isTold}))`,
      ) as Query;
    case 'awaiting_approval':
      return query.where(
        sql<boolean>`c.place in (select w.place from claims w where w.tenant = ${tenant} and w.approval_id is not null
          and w.state = 'awaiting_approval') and ${isAlive} and ${isOpen}`,
      ) as Query;
    case 'reserved':
    case 'succeeded':
    case 'failed_not_sent':
      return query.where(sql<boolean>`c.state = ${sql.lit(state)} and ${isAlive}`) as Query;
  }
}

/** No more than a page takes: an engine that does not know how few there are looks at all claims for them. */
function newestUnknown({ tenant, agent, integration, before, limit }: AskedClaims) {
  const ofAgent = agent === undefined ? sql`` : sql`and n.agent = ${agent}`;
  const ofIntegration = integration === undefined ? sql`` : sql`and n.integration = ${integration}`;
  return sql`select n.place from claims n where n.tenant = ${tenant} and n.state = 'unknown' and n.place < ${before}
    ${ofAgent} ${ofIntegration} order by n.place desc limit ${limit}`;
}

/** undefined: the key is free at `nowMs`. */
export function toClaimRecord(row: JoinedClaimRow, nowMs: number): ClaimRecord | undefined {
  const state = claimStateOf(row, nowMs);
  if (state === undefined) return undefined;
  const problem = problemOf(row, nowMs);
  const answer = answerOf(row);
  return {
    tenant: row.tenant,
    agent: row.agent,
    integration: row.integration,
    key: row.key,
    id: toClaimId(row),
    fingerprint: row.fingerprint,
    state,
    fence: row.fence,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    isRetryAllowed: row.retry_allowed === 1,
    ...(row.request_id === null ? {} : { requestId: row.request_id }),
    ...(state === 'dispatching' ? ownerOf(row) : {}),
    ...(row.approval_id === null ? {} : { approvalId: row.approval_id }),
    ...(problem === undefined ? {} : { problem }),
    ...(answer === undefined ? {} : { answer }),
    ...(row.resolution === null ? {} : { resolution: toResolution(row.resolution) }),
  };
}

/** As `toClaimRecord`, of a row that reads as something for sure. */
export function requireClaimRecord(row: JoinedClaimRow | undefined, nowMs: number): ClaimRecord {
  const record = row && toClaimRecord(row, nowMs);
  if (record === undefined) throw new DbError('invalid', 'claims.state is not what was just written or asked for');
  return record;
}

function ownerOf({ node, boot, lease_until }: JoinedClaimRow): Pick<ClaimRecord, 'owner'> {
  return node === null || boot === null || lease_until === null
    ? {}
    : { owner: { node, boot, leaseUntil: lease_until } };
}

function problemOf(row: JoinedClaimRow, nowMs: number): ClaimProblem | undefined {
  const { problem_code: code, problem_status: status } = row;
  if (code !== null && status !== null) return { code, status, until: row.expires_at };
  const endedAt = approvalEndOf(row, nowMs);
  return endedAt === undefined ? undefined : { ...APPROVAL_PROBLEMS.expired, until: endedAt + APPROVAL_PROBLEM_MS };
}

function answerOf({ answer, bytes, sealed }: JoinedClaimRow): StoredAnswer | undefined {
  if (answer === null || bytes === null) return undefined;
  return sealed === null ? { id: String(answer), bytes } : { id: String(answer), bytes, sealed };
}

function toResolution(value: unknown): ClaimResolution {
  return fromJsonColumn('claims.resolution', value, resolutionParser);
}

function isResolution(value: unknown): value is ClaimResolution {
  if (typeof value !== 'object' || value === null) return false;
  const { outcome, note, by, at } = value as Record<string, unknown>;
  const isKnown = (CLAIM_RESOLUTIONS as readonly unknown[]).includes(outcome);
  return isKnown && typeof note === 'string' && typeof by === 'string' && Number.isSafeInteger(at);
}

const resolutionParser = guardParser(isResolution);

/** The engine may use a place again, but not within the same millisecond. */
function toClaimId({ place, created_at }: Pick<JoinedClaimRow, 'place' | 'created_at'>): string {
  return `${place.toString(36)}-${created_at.toString(36)}`;
}

/** undefined for a text that is no id of a claim. */
export function parseClaimId(id: string): { place: number; createdAt: number } | undefined {
  const match = /^([0-9a-z]{1,11})-([0-9a-z]{1,11})$/.exec(id);
  if (match === null) return undefined;
  const [place, createdAt] = [Number.parseInt(match[1] as string, 36), Number.parseInt(match[2] as string, 36)];
  return Number.isSafeInteger(place) && Number.isSafeInteger(createdAt) ? { place, createdAt } : undefined;
}
