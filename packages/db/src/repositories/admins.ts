import type { Kysely } from 'kysely';
import { requireCount, requireOneOf, requireText, withReference } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { fromJsonColumn, namesParser, toJsonColumn } from '../json-column.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import { ADMIN_ROLES, type AdminRecord, type AdminsPort } from '../ports/admins.ts';
import { DbError } from '../ports/db-error.ts';
import type { AdminRow, Tables } from '../tables.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'admins';

export function createAdmins(dbClient: DbClient, { now, newId }: RepositoryOptions): AdminsPort {
  return {
    async create(admin, context) {
      requireAdmin(admin);
      const row: AdminRow = {
        id: newId(),
        name: admin.name,
        tenant: admin.tenant ?? null,
        role: admin.role,
        groups: toJsonColumn(admin.groups),
        token_digest: admin.tokenDigest,
        token_key_id: admin.tokenKeyId,
        expires_at: admin.expiresAt ?? null,
        revoked_at: null,
        created_at: now(),
      };
      await withReference(
        'admins.tenant',
        writesOf(dbClient, context, admin.tenant ?? INSTANCE_SCOPE)
          .insertInto('admins')
          .values(row)
          .execute(),
      );
      return toRecord(row);
    },

    async getByName(name, context) {
      const row = await selectAdmins(pointsOf(dbClient, context, INSTANCE_SCOPE))
        .where('name', '=', name)
        .executeTakeFirst();
      return row && toRecord(row);
    },

    async findByTokenDigest(tokenDigest, context) {
      const query = selectAdmins(pointsOf(dbClient, context, INSTANCE_SCOPE)).where('token_digest', '=', tokenDigest);
      const row = await query.executeTakeFirst();
      return row && toRecord(row);
    },

    async list(tenant, page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = selectAdmins(listsOf(dbClient, context, tenant ?? INSTANCE_SCOPE));
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toRecord, position: (row) => row.name });
    },

    async setGroups(name, groups, context) {
      for (const group of groups) requireText('admins.groups', group);
      const row = await writesOf(dbClient, context, INSTANCE_SCOPE)
        .updateTable('admins')
        .set({ groups: toJsonColumn([...new Set(groups)]) })
        .where('name', '=', name)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw new DbError('not_found', 'no such administrator');
      return toRecord(row);
    },

    async revoke(name, at, context) {
      requireCount('admins.revoked_at', at);
      const result = await writesOf(dbClient, context, INSTANCE_SCOPE)
        .updateTable('admins')
        .set({ revoked_at: at })
        .where('name', '=', name)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
  };
}

function selectAdmins(kysely: Kysely<Tables>) {
  return kysely.selectFrom('admins').selectAll();
}

function requireAdmin(admin: Omit<AdminRecord, 'id' | 'createdAt' | 'revokedAt'>): void {
  requireText('admins.name', admin.name);
  if (admin.tenant !== undefined) requireText('admins.tenant', admin.tenant);
  requireOneOf('admins.role', admin.role, ADMIN_ROLES);
  for (const group of admin.groups) requireText('admins.groups', group);
  requireText('admins.token_digest', admin.tokenDigest);
  requireText('admins.token_key_id', admin.tokenKeyId);
  if (admin.expiresAt !== undefined) requireCount('admins.expires_at', admin.expiresAt);
}

function toRecord(row: AdminRow): AdminRecord {
  return {
    id: row.id,
    name: row.name,
    ...(row.tenant === null ? {} : { tenant: row.tenant }),
    role: row.role,
    groups: fromJsonColumn('admins.groups', row.groups, namesParser),
    tokenDigest: row.token_digest,
    tokenKeyId: row.token_key_id,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    createdAt: row.created_at,
  };
}
