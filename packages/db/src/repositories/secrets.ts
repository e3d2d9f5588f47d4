import type { Kysely } from 'kysely';
import { requireOrigin, requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn, namesParser, toJsonColumn } from '../json-column.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import type { SecretRecord, SecretsPort } from '../ports/secrets.ts';
import type { SecretRow, Tables } from '../tables.ts';
import { listsOf, pointsOf, requireScope } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { createSecretVersions } from './secret-versions.ts';

const LIST = 'secrets';

export function createSecrets(dbClient: DbClient, options: RepositoryOptions): SecretsPort {
  return { ...createSecretRows(dbClient, options), ...createSecretVersions(dbClient, options) };
}

type SecretRowsPort = Pick<SecretsPort, 'getByName' | 'listByTenant' | 'updateSecret' | 'remove'>;

function createSecretRows(dbClient: DbClient, { now }: RepositoryOptions): SecretRowsPort {
  return {
    async getByName(tenant, name, context) {
      const row = await selectSecrets(pointsOf(dbClient, context, tenant), tenant)
        .where('name', '=', name)
        .executeTakeFirst();
      return row && toSecretRecord(row);
    },

    async listByTenant(tenant, page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = selectSecrets(listsOf(dbClient, context, tenant), tenant);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toSecretRecord, position: (row) => row.name });
    },

    async updateSecret(tenant, name, { environments, origin }, context) {
      if (origin !== undefined) requireOrigin('secrets.origin', origin);
      const row = await requireScope(dbClient, context, 'updateSecret')
        .kysely(tenant)
        .updateTable('secrets')
        .set({
          environments: toEnvironments(environments),
          ...(origin === undefined ? {} : { origin }),
          updated_at: now(),
        })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw noSuchSecret();
      return toSecretRecord(row);
    },

    async remove(tenant, name, context) {
      const result = await requireScope(dbClient, context, 'removing a secret')
        .kysely(tenant)
        .deleteFrom('secrets')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .executeTakeFirst();
      if (result.numDeletedRows !== 1n) throw noSuchSecret();
    },
  };
}

export function selectSecrets(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('secrets').selectAll().where('tenant', '=', tenant);
}

export function noSuchSecret(): DbError {
  return new DbError('not_found', 'no such secret in that tenant');
}

export function toEnvironments(environments: readonly string[] | undefined): string | null {
  for (const environment of environments ?? []) requireText('secrets.environments', environment);
  return environments === undefined ? null : toJsonColumn(environments);
}

export function toSecretRecord(row: SecretRow): SecretRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    name: row.name,
    ...(row.environments === null
      ? {}
      : { environments: fromJsonColumn('secrets.environments', row.environments, namesParser) }),
    activeVersion: row.active_version,
    origin: row.origin,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
