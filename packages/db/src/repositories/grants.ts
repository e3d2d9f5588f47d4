import { type Kysely, sql } from 'kysely';
import { approvalStatusOf } from '../approval-state.ts';
import { requireCount, requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { timePosition, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import type { GrantSearch, GrantsPort } from '../ports/grants.ts';
import type { ApprovalRow, GrantRow, Tables } from '../tables.ts';
import { inOneTransaction, pointsOf } from '../transaction.ts';
import { approvalEntry } from './approval-entries.ts';
import { type ApprovalScope, announcing } from './approval-messages.ts';
import { requireApproval } from './approval-rows.ts';
import { storeExpired } from './approval-transitions.ts';
import { GRANTS_LIST, selectGrantPage } from './grant-lists.ts';
import { toGrantRecord, usableAt } from './grant-rows.ts';
import type { RepositoryOptions } from './repository-options.ts';

export function createGrants(dbClient: DbClient, options: RepositoryOptions): GrantsPort {
  return {
    ...createGrantReads(dbClient),

    async revoke(tenant, id, { by, at, reason }, context) {
      requireText('grants.revoked_by', by);
      requireCount('grants.revoked_at', at);
      return inOneTransaction(dbClient, context, async (scope) => {
        const row = await selectGrants(scope.kysely(tenant), tenant).where('id', '=', id).executeTakeFirst();
        if (row === undefined) throw new DbError('not_found', 'no such grant in that tenant');
        const { numUpdatedRows } = await scope
          .kysely(tenant)
          .updateTable('grants')
          .set({ revoked_at: at, revoked_by: by })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .executeTakeFirst();
        if (numUpdatedRows !== 1n) return false;
        const approval = await requireApproval(scope.kysely(tenant), tenant, row.approval_id);
        const about = { at, type: 'grant.revoked', grant: id, actor: by } as const;
        await scope.appendEntry(approvalEntry(approval, reason === undefined ? about : { ...about, reason }));
        if (approvalStatusOf(approval, at) === 'approved') await endUnusable(announcing(scope, options), approval, at);
        return true;
      });
    },
  };
}

type ReadsPort = Pick<GrantsPort, 'findFitting' | 'getById' | 'listByApproval' | 'list'>;

function createGrantReads(dbClient: DbClient): ReadsPort {
  return {
    async findFitting(search, nowMs, context) {
      const rows = await selectFitting(pointsOf(dbClient, context, search.tenant), search, nowMs).execute();
      return rows.sort(bestFirst).map((row) => toGrantRecord(row, nowMs));
    },

    async getById(tenant, id, nowMs, context) {
      const row = await selectGrants(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toGrantRecord(row, nowMs);
    },

    async listByApproval(tenant, approvalId, nowMs, context) {
      const rows = await selectGrants(pointsOf(dbClient, context, tenant), tenant)
        .where('approval_id', '=', approvalId)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .execute();
      return rows.map((row) => toGrantRecord(row, nowMs));
    },

    async list(tenant, filter, page) {
      const rows = await selectGrantPage(dbClient, tenant, filter, page);
      return toPage(rows, page.limit, GRANTS_LIST, {
        item: (row) => toGrantRecord(row, page.nowMs),
        position: timePosition,
      });
    },
  };
}

function selectGrants(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('grants').selectAll().where('tenant', '=', tenant);
}

/** Bound to the call, and standing; each by an index of its own. */
function selectFitting(kysely: Kysely<Tables>, search: GrantSearch, nowMs: number) {
  const { tenant, agent, fingerprint, integration, action, method, path } = search;
  const standing = selectGrants(kysely, tenant)
    .where('agent', '=', agent)
    .where('kind', '=', sql.lit('rule'))
    .where('integration', '=', integration)
    .where('method', '=', method)
    .where('path', '=', path)
    .where(sql<boolean>`coalesce(action, '') = ${action ?? ''}`)
    .where(usableAt(nowMs));
  return selectGrants(kysely, tenant)
    .where('agent', '=', agent)
    .where('fingerprint', '=', fingerprint)
    .where(usableAt(nowMs))
    .unionAll(standing);
}

function bestFirst(one: GrantRow, other: GrantRow): number {
  const costs = Number(one.uses_left !== null) - Number(other.uses_left !== null);
  const stands = Number(one.kind === 'rule') - Number(other.kind === 'rule');
  return costs || stands || one.expires_at - other.expires_at || (one.id < other.id ? -1 : 1);
}

/** An approval without a grant that could still be used can never be executed. */
async function endUnusable(scope: ApprovalScope, approval: ApprovalRow & { lease_until: number | null }, at: number) {
  const left = await selectGrants(scope.kysely(approval.tenant), approval.tenant)
    .where('approval_id', '=', approval.id)
    .where(usableAt(at))
    .limit(1)
    .executeTakeFirst();
  if (left === undefined) await storeExpired(scope, approval, at);
}
