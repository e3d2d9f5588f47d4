import { requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import type { TenantRecord, TenantsPort } from '../ports/tenants.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'tenants';

export function createTenants(dbClient: DbClient, { now }: RepositoryOptions): TenantsPort {
  return {
    async create(name, context) {
      requireText('tenants.name', name);
      if (name === GLOBAL_TENANT) throw new DbError('invalid', 'tenants.name "*" stands for all tenants');
      const row = { name, created_at: now(), revision: 0 };
      await writesOf(dbClient, context).insertInto('tenants').values(row).execute();
      return toRecord(row);
    },

    async getByName(name, context) {
      if (name === GLOBAL_TENANT) return undefined;
      const row = await pointsOf(dbClient, context)
        .selectFrom('tenants')
        .select(['name', 'created_at'])
        .where('name', '=', name)
        .executeTakeFirst();
      return row && toRecord(row);
    },

    async list(page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = listsOf(dbClient, context)
        .selectFrom('tenants')
        .select(['name', 'created_at'])
        .where('name', '<>', GLOBAL_TENANT);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toRecord, position: (row) => row.name });
    },
  };
}

function toRecord(row: { name: string; created_at: number }): TenantRecord {
  return { name: row.name, createdAt: row.created_at };
}
