import type { Kysely } from 'kysely';
import { requireOneOf, requireText, withReference } from '../check.ts';
import { requireOptionalText, requireUnique, toEmail } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import type { UserRow } from '../identity-tables.ts';
import { fromJsonColumn, textListParser, toJsonColumn } from '../json-column.ts';
import { newestFirst } from '../newest-first.ts';
import { timePosition, toPage } from '../page.ts';
import { ADMIN_ROLES, type AdminRole } from '../ports/admins.ts';
import { DbError } from '../ports/db-error.ts';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import type { UserRecord, UsersPort } from '../ports/users.ts';
import type { Tables } from '../tables.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'users';
const NAME_LENGTH_MAX = 200;

export function createUsers(dbClient: DbClient, { now, newId }: RepositoryOptions): UsersPort {
  return {
    async create(tenant, { email, name, identityId, roles }, context) {
      requireText('users.tenant', tenant);
      if (tenant === GLOBAL_TENANT) throw new DbError('invalid', 'users.tenant must be one tenant');
      requireOptionalText('users.name', name, NAME_LENGTH_MAX);
      if (identityId !== undefined) requireText('users.identity_id', identityId);
      const at = now();
      const row: UserRow = {
        tenant,
        id: newId(),
        email: toEmail('users.email', email),
        name: name ?? null,
        identity_id: identityId ?? null,
        roles: toRoles(roles),
        version: 1,
        created_at: at,
        updated_at: at,
      };
      const inserting = writesOf(dbClient, context, tenant).insertInto('users').values(row).execute();
      await withReference('users.tenant or users.identity_id', inserting);
      return toUserRecord(row);
    },

    async getById(tenant, id, context) {
      const row = await selectUsers(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toUserRecord(row);
    },

    async listByTenant(tenant, page, context) {
      const users = selectUsers(listsOf(dbClient, context, tenant), tenant);
      const rows = await newestFirst(users, LIST, page).execute();
      return toPage(rows, page.limit, LIST, { item: toUserRecord, position: timePosition });
    },

    async updateRoles(tenant, id, { roles, ifVersion }, context) {
      const writes = writesOf(dbClient, context, tenant);
      let query = writes
        .updateTable('users')
        .set((expression) => ({ roles: toRoles(roles), version: expression('version', '+', 1), updated_at: now() }))
        .where('tenant', '=', tenant)
        .where('id', '=', id);
      if (ifVersion !== undefined) query = query.where('version', '=', ifVersion);
      const row = await query.returningAll().executeTakeFirst();
      if (row !== undefined) return toUserRecord(row);
      const current = await selectUsers(writes, tenant).where('id', '=', id).executeTakeFirst();
      if (current === undefined) throw new DbError('not_found', 'no such user in that tenant');
      throw new DbError('stale', 'users.version has changed');
    },
  };
}

function selectUsers(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('users').selectAll().where('tenant', '=', tenant);
}

function toRoles(roles: readonly AdminRole[]): string {
  for (const role of roles) requireOneOf('users.roles', role, ADMIN_ROLES);
  requireUnique('users.roles', roles);
  return toJsonColumn(roles);
}

const rolesParser = textListParser((text): text is AdminRole => (ADMIN_ROLES as readonly string[]).includes(text));

export function toUserRecord(row: UserRow): UserRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    email: row.email,
    ...(row.name === null ? {} : { name: row.name }),
    ...(row.identity_id === null ? {} : { identityId: row.identity_id }),
    roles: fromJsonColumn('users.roles', row.roles, rolesParser),
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
