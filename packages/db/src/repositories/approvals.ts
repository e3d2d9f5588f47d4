import { sql } from 'kysely';
import { requireOneOf } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { decodeTimeCursor, rowsToRead, timePosition, toPage } from '../page.ts';
import {
  APPROVAL_STATUSES,
  type ApprovalStatus,
  type ApprovalSummary,
  type ApprovalsPort,
} from '../ports/approvals.ts';
import { inOneTransaction, pointsOf } from '../transaction.ts';
import { createApprovalCreation } from './approval-creation.ts';
import { announcing } from './approval-messages.ts';
import {
  type ApprovalSummaryRow,
  readApproval,
  selectApprovals,
  selectSummaries,
  toApprovalRecord,
  toApprovalSummary,
} from './approval-rows.ts';
import { createApprovalTransitions, storeExpired } from './approval-transitions.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'approvals';

export function createApprovals(dbClient: DbClient, options: RepositoryOptions): ApprovalsPort {
  return {
    ...createApprovalCreation(dbClient, options),
    ...createApprovalTransitions(dbClient, options),
    ...createApprovalReads(dbClient),
    sweep: (nowMs, limit) => sweep(dbClient, options, { nowMs, limit }),
  };
}

type ReadsPort = Pick<ApprovalsPort, 'getById' | 'findOpenByFingerprint' | 'list' | 'countPending'>;

function createApprovalReads(dbClient: DbClient): ReadsPort {
  return {
    async getById(tenant, id, nowMs, context) {
      const row = await readApproval(pointsOf(dbClient, context, tenant), tenant, id);
      return row && toApprovalRecord(row, nowMs);
    },

    async findOpenByFingerprint({ tenant, agent, fingerprint }, nowMs, context) {
      const row = await selectApprovals(pointsOf(dbClient, context, tenant))
        .where('p.tenant', '=', tenant)
        .where('p.agent', '=', agent)
        .where('p.fingerprint', '=', fingerprint)
        .where(({ or, and, eb }) =>
          or([
            and([eb('p.status', '=', 'pending'), eb('p.expires_at', '>', nowMs)]),
            and([eb('p.status', '=', 'approved'), eb('p.execute_until', '>', nowMs)]),
          ]),
        )
        .orderBy(sql`case p.status when 'pending' then 0 else 1 end`)
        .orderBy('p.created_at', 'desc')
        .orderBy('p.id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && toApprovalRecord(row, nowMs);
    },

    async list(tenant, { status, agent }, page) {
      if (status !== undefined) requireOneOf('approvals.status', status, APPROVAL_STATUSES);
      const before = decodeTimeCursor(LIST, page.cursor);
      const count = rowsToRead(page);
      const rows: ApprovalSummaryRow[] = [];
      for (const reads of readingsOf(status, page.nowMs, agent === undefined)) {
        let query = selectSummaries(dbClient.lists(tenant)).where('p.tenant', '=', tenant);
        if (reads !== undefined) query = query.where(reads);
        if (agent !== undefined) query = query.where('p.agent', '=', agent);
        if (before !== undefined) {
          query = query.where(sql<boolean>`(p.created_at, p.id) < (${before.createdAt}, ${before.id})`);
        }
        rows.push(...(await query.orderBy('p.created_at', 'desc').orderBy('p.id', 'desc').limit(count).execute()));
      }
      return toPage(rows.sort(newestFirst).slice(0, count), page.limit, LIST, {
        item: (row) => toApprovalSummary(row, page.nowMs),
        position: timePosition,
      });
    },

    async countPending(tenant, nowMs) {
      let query = dbClient
        .points(tenant ?? INSTANCE_SCOPE)
        .selectFrom('approvals')
        .select((expression) => expression.fn.countAll<number>().as('count'))
        .where('status', '=', 'pending')
        .where('expires_at', '>', nowMs);
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      return Number((await query.executeTakeFirst())?.count ?? 0);
    },
  };
}

/**
 * How a status that is asked for is stored: each condition has an index of its own, which an agent's own approvals are fewer than. The same
 * judgement as `approvalStatusOf`.
 */
function readingsOf(status: ApprovalStatus | undefined, nowMs: number, isByIndex: boolean) {
  const stored = sql.raw(isByIndex ? 'p.status' : "p.status || ''");
  const isOwned = sql<boolean>`coalesce(l.lease_until, 0) > ${nowMs}`;
  switch (status) {
    case undefined:
      return [undefined];
    case 'pending':
      return [sql<boolean>`${stored} = 'pending' and p.expires_at > ${nowMs}`];
    case 'approved':
      return [sql<boolean>`${stored} = 'approved' and p.execute_until > ${nowMs}`];
    case 'expired':
      return [
        sql<boolean>`${stored} = 'expired'`,
        sql<boolean>`${stored} = 'pending' and p.expires_at <= ${nowMs}`,
        sql<boolean>`${stored} = 'approved' and p.execute_until <= ${nowMs}`,
      ];
    case 'executing':
      return [sql<boolean>`${stored} = 'executing' and ${isOwned}`];
    case 'unknown':
      return [sql<boolean>`${stored} = 'unknown'`, sql<boolean>`${stored} = 'executing' and not ${isOwned}`];
    case 'denied':
    case 'cancelled':
    case 'executed':
    case 'failed':
      return [sql<boolean>`${stored} = ${status}`];
  }
}

function newestFirst(one: ApprovalSummaryRow, other: ApprovalSummaryRow): number {
  return other.created_at - one.created_at || (one.id < other.id ? 1 : -1);
}

async function sweep(
  dbClient: DbClient,
  options: RepositoryOptions,
  { nowMs, limit }: { nowMs: number; limit: number },
): Promise<readonly ApprovalSummary[]> {
  const due = [
    ...(await selectDue(dbClient, limit).where('status', '=', 'pending').where('expires_at', '<=', nowMs).execute()),
    ...(await selectDue(dbClient, limit)
      .where('status', '=', 'approved')
      .where('execute_until', '<=', nowMs)
      .execute()),
  ];
  const expired: ApprovalSummary[] = [];
  // Each in a transaction of its own, so that calls do not wait behind all of them.
  for (const { tenant, id } of due.slice(0, limit)) {
    const summary = await inOneTransaction(dbClient, undefined, async (scope) => {
      const row = await readApproval(scope.kysely(tenant), tenant, id);
      if (row === undefined || (row.status !== 'pending' && row.status !== 'approved')) return undefined;
      const now = toApprovalRecord(row, nowMs);
      if (now.status !== 'expired') return undefined;
      await storeExpired(announcing(scope, options), row, nowMs);
      return now;
    });
    if (summary !== undefined) expired.push(summary);
  }
  return expired;
}

function selectDue(dbClient: DbClient, limit: number) {
  return dbClient.points(INSTANCE_SCOPE).selectFrom('approvals').select(['tenant', 'id']).limit(limit);
}
