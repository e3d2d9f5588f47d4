import type { Kysely } from 'kysely';
import { requireCount, requireOneOf, requireText } from '../check.ts';
import { claimStateOf } from '../claim-state.ts';
import type { DbClient, TransactionScope } from '../client.ts';
import { toJsonColumn } from '../json-column.ts';
import {
  CLAIM_RESOLUTIONS,
  type ClaimResolution,
  type ClaimScope,
  type ClaimsPort,
  type NewClaim,
} from '../ports/claims.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';
import { listClaims } from './claim-lists.ts';
import { moveClaim, moveObstacle, readClaimRow } from './claim-moves.ts';
import {
  compileFind,
  type JoinedClaimRow,
  parseClaimId,
  requireClaimRecord,
  selectClaims,
  toClaimRecord,
} from './claim-rows.ts';
import { sweepClaims } from './claim-sweep.ts';

/** A resolved claim lives for another of its lifetimes, at most the longest that can be configured. */
const LIFETIME_MS_MAX = 604_800_000;

export function createClaims(dbClient: DbClient): ClaimsPort {
  return { ...createClaimReads(dbClient), ...createClaimWrites(dbClient) };
}

type ReadMethod = 'find' | 'getById' | 'findByApproval' | 'list' | 'readAnswer';

function createClaimReads(dbClient: DbClient): Pick<ClaimsPort, ReadMethod> {
  // On the path of a call: compiled once.
  const find = compileFind(dbClient);
  return {
    async find(scope, nowMs, context) {
      const { rows } = await pointsOf(dbClient, context, scope.tenant).executeQuery<JoinedClaimRow>(find(scope));
      const [row] = rows;
      return row && toClaimRecord(row, nowMs);
    },

    async getById(tenant, id, nowMs, context) {
      const row = await readById(pointsOf(dbClient, context, tenant), tenant, id);
      return row && toClaimRecord(row, nowMs);
    },

    async findByApproval(tenant, approvalId, requestId, nowMs) {
      const row = await selectClaims(dbClient.points(tenant), 'with answers')
        .where('c.tenant', '=', tenant)
        .where('c.approval_id', '=', approvalId)
        .where('c.request_id', '=', requestId)
        .executeTakeFirst();
      return row && toClaimRecord(row, nowMs);
    },

    list: (tenant, filter, page) => listClaims(dbClient, tenant, filter, page),

    async readAnswer(tenant, id) {
      if (!/^\d{1,16}$/.test(id)) return undefined;
      const row = await dbClient
        .lists(tenant)
        .selectFrom('stored_answers')
        .select('sealed')
        .where('answer', '=', Number(id))
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      return row?.sealed;
    },
  };
}

function createClaimWrites(dbClient: DbClient): Pick<ClaimsPort, 'reserve' | 'release' | 'resolve' | 'sweep'> {
  return {
    async reserve(claim, nowMs, context) {
      requireNewClaim(claim);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(claim.tenant);
        const row = await readClaimRow(kysely, claim);
        if (moveObstacle(row, claim, nowMs) !== undefined)
          return { isDone: false, found: row && toClaimRecord(row, nowMs) };
        await moveClaim(kysely, claim, { row, nowMs });
        return { isDone: true, claim: requireClaimRecord(await readClaimRow(kysely, claim), nowMs) };
      });
    },

    async release(scope, nowMs, context) {
      const { numDeletedRows } = await writesOf(dbClient, context, scope.tenant)
        .deleteFrom('claims')
        .where('tenant', '=', scope.tenant)
        .where('agent', '=', scope.agent)
        .where('integration', '=', scope.integration)
        .where('key', '=', scope.key)
        .where('state', '=', 'reserved')
        .where('expires_at', '>', nowMs)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },

    async resolve(tenant, id, resolution, context) {
      requireResolution(resolution);
      const nowMs = resolution.at;
      return inOneTransaction(dbClient, context, async (scope) => {
        const row = await readById(scope.kysely(tenant), tenant, id);
        const found = row && toClaimRecord(row, nowMs);
        if (row === undefined || found === undefined) throw new DbError('not_found', 'no such claim in that tenant');
        if (claimStateOf(row, nowMs) !== 'unknown') return { isDone: false, found };
        await storeResolution(scope, row, resolution);
        return { isDone: true, claim: requireClaimRecord(await readById(scope.kysely(tenant), tenant, id), nowMs) };
      });
    },

    sweep: (nowMs, limit) => sweepClaims(dbClient, nowMs, limit),
  };
}

async function readById(kysely: Kysely<Tables>, tenant: string, id: string): Promise<JoinedClaimRow | undefined> {
  const parsed = parseClaimId(id);
  if (parsed === undefined) return undefined;
  return selectClaims(kysely, 'without answers')
    .where('c.place', '=', parsed.place)
    .where('c.created_at', '=', parsed.createdAt)
    .where('c.tenant', '=', tenant)
    .executeTakeFirst();
}

const STATE_AFTER = { done: 'succeeded', not_done: 'failed_not_sent', retry: 'unknown' } as const;
/** How the entry says it. */
const RESULT_OF = { done: 'done', not_done: 'not_sent', retry: 'unknown' } as const;

/** It is not `dispatching` from here on, so whoever still believes to be sending changes nothing any more. */
async function storeResolution(
  { kysely, appendEntry }: TransactionScope,
  row: JoinedClaimRow,
  resolution: ClaimResolution,
): Promise<void> {
  const { at, by, note, outcome } = resolution;
  const lifetime = Math.min(Math.max(row.expires_at - row.created_at, 0), LIFETIME_MS_MAX);
  const { numUpdatedRows } = await kysely(row.tenant)
    .updateTable('claims')
    .set({
      state: STATE_AFTER[outcome],
      lease: null,
      retry_allowed: outcome === 'retry' ? 1 : 0,
      resolution: toJsonColumn({ outcome, note, by, at }),
      expires_at: Math.max(row.expires_at, at + lifetime),
    })
    .where('place', '=', row.place)
    .where('fence', '=', row.fence)
    .where('state', '=', row.state)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new DbError('stale', 'claims.state has changed');
  await appendEntry({
    at,
    tenant: row.tenant,
    type: 'claim.resolved',
    ...(row.request_id === null ? {} : { requestId: row.request_id }),
    agent: row.agent,
    integration: row.integration,
    fingerprint: row.fingerprint,
    ...(row.approval_id === null ? {} : { approval: row.approval_id }),
    actor: by,
    subject: `claim:${row.place.toString(36)}-${row.created_at.toString(36)}`,
    result: RESULT_OF[outcome],
    reason: note,
  });
}

/** Visible ASCII, specification, section 10. */
const KEY = /^[\x21-\x7e]{1,255}$/;

export function requireScope(scope: ClaimScope): void {
  requireText('claims.tenant', scope.tenant);
  requireText('claims.agent', scope.agent);
  requireText('claims.integration', scope.integration);
  if (!KEY.test(scope.key)) throw new DbError('invalid', 'claims.key must be 1 to 255 characters of visible ASCII');
}

function requireNewClaim(claim: NewClaim): void {
  requireScope(claim);
  requireText('claims.fingerprint', claim.fingerprint);
  requireText('claims.request_id', claim.requestId);
  requireCount('claims.expires_at', claim.expiresAt);
}

function requireResolution({ outcome, by, at, note }: ClaimResolution): void {
  requireOneOf('claims.resolution', outcome, CLAIM_RESOLUTIONS);
  requireText('claims.resolution', by);
  requireCount('claims.resolution', at);
  if (typeof note !== 'string') throw new DbError('invalid', 'claims.resolution must have a note');
}
