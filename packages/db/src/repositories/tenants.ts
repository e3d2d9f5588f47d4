import { requireCount, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import type { DbContext } from '../ports/context.ts';
import { DbError } from '../ports/db-error.ts';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import type { TenantRecord, TenantsPort } from '../ports/tenants.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'tenants';
const COLUMNS = ['name', 'created_at', 'disabled_at'] as const;

export function createTenants(dbClient: DbClient, { now }: RepositoryOptions): TenantsPort {
  return {
    async create(name, context) {
      requireText('tenants.name', name);
      if (name === GLOBAL_TENANT) throw new DbError('invalid', 'tenants.name "*" stands for all tenants');
      const row = { name, created_at: now(), revision: 0, disabled_at: null };
      await writesOf(dbClient, context, name).insertInto('tenants').values(row).execute();
      return toRecord(row);
    },

    getById: (id, context) => read(dbClient, id, context),

    getByName: (name, context) => read(dbClient, name, context),

    async list(page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = listsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('tenants')
        .select(COLUMNS)
        .where('name', '<>', GLOBAL_TENANT);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toRecord, position: (row) => row.name });
    },

    async setDisabled(name, at, context) {
      if (at !== undefined) requireCount('tenants.disabled_at', at);
      const row = await writesOf(dbClient, context, name)
        .updateTable('tenants')
        .set(({ fn, ref, val }) => ({
          disabled_at: at === undefined ? null : fn.coalesce(ref('disabled_at'), val(at)),
        }))
        .where('name', '=', name)
        .where('name', '<>', GLOBAL_TENANT)
        .returning(COLUMNS)
        .executeTakeFirst();
      if (row === undefined) throw new DbError('not_found', 'no such tenant');
      return toRecord(row);
    },
  };
}

async function read(dbClient: DbClient, name: string, context?: DbContext): Promise<TenantRecord | undefined> {
  if (name === GLOBAL_TENANT) return undefined;
  const row = await pointsOf(dbClient, context, name)
    .selectFrom('tenants')
    .select(COLUMNS)
    .where('name', '=', name)
    .executeTakeFirst();
  return row && toRecord(row);
}

function toRecord(row: { name: string; created_at: number; disabled_at: number | null }): TenantRecord {
  const { name, created_at: createdAt, disabled_at: disabledAt } = row;
  return { name, createdAt, ...(disabledAt === null ? {} : { disabledAt }) };
}
