import { type Integration, integrationSchema } from '@postern/schemas';
import { type Kysely, sql } from 'kysely';
import { requireOrigin, requireText, withReference } from '../check.ts';
import { type DbClient, type EngineCapabilities, INSTANCE_SCOPE } from '../client.ts';
import { fromJsonColumn, toJsonColumn } from '../json-column.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import type { IntegrationTemplatesPort } from '../ports/integration-templates.ts';
import type { IntegrationRecord, IntegrationsPort } from '../ports/integrations.ts';
import type { IntegrationRow, Tables } from '../tables.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import { createIntegrationTemplates } from './integration-templates.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'integrations';

export function createIntegrations(dbClient: DbClient, options: RepositoryOptions): IntegrationsPort {
  return { ...createIntegrationRows(dbClient, options), ...createIntegrationTemplates(dbClient, options) };
}

type IntegrationRowsPort = Omit<IntegrationsPort, keyof IntegrationTemplatesPort>;

function createIntegrationRows(dbClient: DbClient, { now, newId }: RepositoryOptions): IntegrationRowsPort {
  return {
    async create(tenant, spec, origin, context) {
      requireText('integrations.tenant', tenant);
      requireText('integrations.name', spec.name);
      requireOrigin('integrations.origin', origin);
      const at = now();
      const row: IntegrationRow = {
        tenant,
        id: newId(),
        name: spec.name,
        spec: toJsonColumn(spec),
        origin,
        version: 1,
        created_at: at,
        updated_at: at,
      };
      const inserting = writesOf(dbClient, context, tenant).insertInto('integrations').values(row).execute();
      await withReference('integrations.tenant', inserting);
      return toIntegrationRecord(row);
    },

    async getById(tenant, id, context) {
      const row = await selectIntegrations(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toIntegrationRecord(row);
    },

    async getByName(tenant, name, context) {
      const query = selectIntegrations(pointsOf(dbClient, context, tenant), tenant).where('name', '=', name);
      const row = await query.executeTakeFirst();
      return row && toIntegrationRecord(row);
    },

    async listByTenant(tenant, page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = selectIntegrations(listsOf(dbClient, context, tenant), tenant);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toIntegrationRecord, position: (row) => row.name });
    },

    // An index leads to the few that there are.
    listListening: (context) => listListening(pointsOf(dbClient, context, INSTANCE_SCOPE), dbClient.capabilities),

    // biome-ignore lint/complexity/useMaxParams: the port's signature
    async update(tenant, id, spec, { ifVersion, origin }, context) {
      if (origin !== undefined) requireOrigin('integrations.origin', origin);
      let query = writesOf(dbClient, context, tenant)
        .updateTable('integrations')
        .set((expression) => ({
          spec: toJsonColumn(spec),
          ...(origin === undefined ? {} : { origin }),
          version: expression('version', '+', 1),
          updated_at: now(),
        }))
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('name', '=', spec.name);
      if (ifVersion !== undefined) query = query.where('version', '=', ifVersion);
      const row = await query.returningAll().executeTakeFirst();
      if (row !== undefined) return toIntegrationRecord(row);
      const current = await selectIntegrations(writesOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      throw whyNotUpdated(current, spec);
    },

    async remove(tenant, id, context) {
      const result = await writesOf(dbClient, context, tenant)
        .deleteFrom('integrations')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      if (result.numDeletedRows !== 1n) throw new DbError('not_found', 'no such integration in that tenant');
    },
  };
}

async function listListening(
  kysely: Kysely<Tables>,
  { jsonMember }: EngineCapabilities,
): Promise<readonly IntegrationRecord[]> {
  const rows = await kysely
    .selectFrom('integrations')
    .selectAll()
    .where(sql.raw(jsonMember('spec', 'listen')), 'is not', null)
    .orderBy('tenant')
    .orderBy('name')
    .execute();
  return rows.map(toIntegrationRecord);
}

export function selectIntegrations(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('integrations').selectAll().where('tenant', '=', tenant);
}

function whyNotUpdated(current: IntegrationRow | undefined, spec: Integration): DbError {
  if (current === undefined) return new DbError('not_found', 'no such integration in that tenant');
  if (current.name !== spec.name) return new DbError('invalid', 'integrations.name is immutable');
  return new DbError('stale', 'integrations.version has changed');
}

export function toIntegrationRecord(row: IntegrationRow): IntegrationRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    name: row.name,
    spec: fromJsonColumn('integrations.spec', row.spec, integrationSchema),
    origin: row.origin,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
