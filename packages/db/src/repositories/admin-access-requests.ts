import type { Kysely } from 'kysely';
import { requireCount, requireOneOf, requireText, withReference } from '../check.ts';
import { requireOptionalText, requirePlainText } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { AdminAccessRequestRow } from '../identity-tables.ts';
import { newestFirst } from '../newest-first.ts';
import { timePosition, toPage } from '../page.ts';
import {
  ACCESS_REQUEST_STATUSES,
  type AccessRequestTransition,
  type AdminAccessRequestRecord,
  type AdminAuthPort,
} from '../ports/admin-auth.ts';
import { ADMIN_ROLES } from '../ports/admins.ts';
import { DbError } from '../ports/db-error.ts';
import { storedNothing, storedOneOf, storedValue } from '../stored.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, listsOf, writesOf } from '../transaction.ts';
import { requireBinding } from './admin-identity-rows.ts';
import type { RepositoryOptions } from './repository-options.ts';

type AccessRequestsPort = Pick<
  AdminAuthPort,
  'createAdminAccessRequest' | 'listAdminAccessRequests' | 'transitionAdminAccessRequestStatus'
>;

const LIST = 'admin_access_requests';
const [NAME_LENGTH_MAX, REASON_LENGTH_MAX] = [200, 1_000];
const DECISIONS = ['approved', 'denied', 'cancelled'] as const;

export function createAdminAccessRequests(dbClient: DbClient, { now, newId }: RepositoryOptions): AccessRequestsPort {
  return {
    async createAdminAccessRequest({ tenant, identityId, role, reason }, context) {
      requireBinding({ tenant, role, groups: [] });
      requireText('admin_access_requests.identity_id', identityId);
      requireOptionalText('admin_access_requests.reason', reason, REASON_LENGTH_MAX);
      const row: AdminAccessRequestRow = {
        tenant,
        id: newId(),
        identity_id: identityId,
        role,
        reason: reason ?? null,
        status: 'pending',
        created_at: now(),
        decided_by: null,
        decided_at: null,
        decision_reason: null,
      };
      const inserting = writesOf(dbClient, context, tenant).insertInto('admin_access_requests').values(row).execute();
      await withReference('admin_access_requests.tenant or admin_access_requests.identity_id', inserting);
      return toAccessRequest(row);
    },

    async listAdminAccessRequests({ tenant, status, identityId }, page, context) {
      if (status !== undefined) requireOneOf('admin_access_requests.status', status, ACCESS_REQUEST_STATUSES);
      let query = listsOf(dbClient, context, tenant ?? INSTANCE_SCOPE)
        .selectFrom('admin_access_requests')
        .selectAll();
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      if (status !== undefined) query = query.where('status', '=', status);
      if (identityId !== undefined) query = query.where('identity_id', '=', identityId);
      const rows = await newestFirst(query, LIST, page).execute();
      return toPage(rows, page.limit, LIST, { item: toAccessRequest, position: timePosition });
    },

    async transitionAdminAccessRequestStatus(tenant, id, change, context) {
      requireChange(change);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const { numUpdatedRows } = await kysely
          .updateTable('admin_access_requests')
          .set({
            status: change.to,
            decided_by: change.by,
            decided_at: change.at,
            decision_reason: change.reason ?? null,
          })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .where('status', '=', 'pending')
          .executeTakeFirst();
        return { isDone: numUpdatedRows === 1n, request: await requireRequest(kysely, tenant, id) };
      });
    },
  };
}

function requireChange({ to, by, at, reason }: AccessRequestTransition): void {
  requireOneOf('admin_access_requests.status', to, DECISIONS);
  requirePlainText('admin_access_requests.decided_by', by, NAME_LENGTH_MAX);
  requireCount('admin_access_requests.decided_at', at);
  requireOptionalText('admin_access_requests.decision_reason', reason, REASON_LENGTH_MAX);
  if (to === 'denied' && reason === undefined) {
    throw new DbError('invalid', 'admin_access_requests.decision_reason must say why it is denied');
  }
}

async function requireRequest(kysely: Kysely<Tables>, tenant: string, id: string): Promise<AdminAccessRequestRecord> {
  const row = await kysely
    .selectFrom('admin_access_requests')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw new DbError('not_found', 'no such access request in that tenant');
  return toAccessRequest(row);
}

export function toAccessRequest(row: AdminAccessRequestRow): AdminAccessRequestRecord {
  const status = storedOneOf('admin_access_requests.status', row.status, ACCESS_REQUEST_STATUSES);
  const asked = {
    tenant: row.tenant,
    id: row.id,
    identityId: row.identity_id,
    role: storedOneOf('admin_access_requests.role', row.role, ADMIN_ROLES),
    ...(row.reason === null ? {} : { reason: row.reason }),
    createdAt: row.created_at,
  };
  if (status === 'pending') {
    storedNothing('admin_access_requests.decided_by', row.decided_by, status);
    storedNothing('admin_access_requests.decided_at', row.decided_at, status);
    storedNothing('admin_access_requests.decision_reason', row.decision_reason, status);
    return { ...asked, status };
  }
  if (status === 'denied') storedValue('admin_access_requests.decision_reason', row.decision_reason, status);
  return {
    ...asked,
    status,
    decidedBy: storedValue('admin_access_requests.decided_by', row.decided_by, status),
    decidedAt: storedValue('admin_access_requests.decided_at', row.decided_at, status),
    ...(row.decision_reason === null ? {} : { decisionReason: row.decision_reason }),
  };
}
