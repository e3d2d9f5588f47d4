import { type Agent, agentSchema, TRUST_LEVELS } from '@postern/schemas';
import type { Kysely } from 'kysely';
import { requireOneOf, requireOrigin, requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn, toJsonColumn } from '../json-column.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import type { AgentRecord, AgentsPort } from '../ports/agents.ts';
import { DbError } from '../ports/db-error.ts';
import type { AgentRow, Tables } from '../tables.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import { createAgentCertificates } from './agent-certificates.ts';
import { createAgentHosts } from './agent-hosts.ts';
import { createAgentKeys } from './agent-keys.ts';
import { createAgentSanUris } from './agent-san-uris.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'agents';

export function createAgents(dbClient: DbClient, options: RepositoryOptions): AgentsPort {
  return {
    ...createAgentRows(dbClient, options),
    ...createAgentKeys(dbClient, options),
    ...createAgentHosts(dbClient),
    ...createAgentSanUris(dbClient),
    ...createAgentCertificates(dbClient, options),
  };
}

type AgentRowsPort = Pick<AgentsPort, 'create' | 'getById' | 'getByName' | 'listByTenant' | 'update' | 'remove'>;

function createAgentRows(dbClient: DbClient, { now, newId }: RepositoryOptions): AgentRowsPort {
  return {
    async create(tenant, agent, origin, context) {
      requireText('agents.tenant', tenant);
      requireText('agents.name', agent.name);
      requireOrigin('agents.origin', origin);
      const at = now();
      const row: AgentRow = {
        tenant,
        id: newId(),
        ...toColumns(agent),
        origin,
        version: 1,
        created_at: at,
        updated_at: at,
        last_used_at: null,
      };
      const inserting = writesOf(dbClient, context, tenant).insertInto('agents').values(row).execute();
      await withReference('agents.tenant', inserting);
      return toAgentRecord(row);
    },

    async getById(tenant, id, context) {
      const row = await selectAgents(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toAgentRecord(row);
    },

    async getByName(tenant, name, context) {
      const row = await selectAgents(pointsOf(dbClient, context, tenant), tenant)
        .where('name', '=', name)
        .executeTakeFirst();
      return row && toAgentRecord(row);
    },

    async listByTenant(tenant, page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = selectAgents(listsOf(dbClient, context, tenant), tenant);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toAgentRecord, position: (row) => row.name });
    },

    // biome-ignore lint/complexity/useMaxParams: the port's signature
    async update(tenant, id, agent, { ifVersion, origin }, context) {
      if (origin !== undefined) requireOrigin('agents.origin', origin);
      let query = writesOf(dbClient, context, tenant)
        .updateTable('agents')
        .set((expression) => ({
          ...toColumns(agent),
          ...(origin === undefined ? {} : { origin }),
          version: expression('version', '+', 1),
          updated_at: now(),
        }))
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('name', '=', agent.name);
      if (ifVersion !== undefined) query = query.where('version', '=', ifVersion);
      const row = await query.returningAll().executeTakeFirst();
      if (row !== undefined) return toAgentRecord(row);
      const current = await selectAgents(writesOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      throw whyNotUpdated(current, agent);
    },

    async remove(tenant, id, context) {
      const result = await writesOf(dbClient, context, tenant)
        .deleteFrom('agents')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      if (result.numDeletedRows !== 1n) throw new DbError('not_found', 'no such agent in that tenant');
    },
  };
}

function whyNotUpdated(current: AgentRow | undefined, agent: Agent): DbError {
  if (current === undefined) return new DbError('not_found', 'no such agent in that tenant');
  if (current.name !== agent.name) return new DbError('invalid', 'agents.name is immutable');
  return new DbError('stale', 'agents.version has changed');
}

function selectAgents(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('agents').selectAll().where('tenant', '=', tenant);
}

function toColumns(agent: Agent) {
  requireOneOf('agents.trust', agent.trust, TRUST_LEVELS);
  return {
    name: agent.name,
    owner: agent.owner ?? null,
    roles: toJsonColumn(agent.roles),
    trust: agent.trust,
    environment: agent.environment ?? null,
    addresses: agent.addresses === undefined ? null : toJsonColumn(agent.addresses),
    disabled: agent.disabled ? 1 : 0,
  };
}

const { roles, addresses, trust } = agentSchema.shape;

export function toAgentRecord(row: AgentRow): AgentRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    name: row.name,
    ...(row.owner === null ? {} : { owner: row.owner }),
    roles: fromJsonColumn('agents.roles', row.roles, roles),
    trust: fromJsonColumn('agents.trust', JSON.stringify(row.trust), trust),
    ...(row.environment === null ? {} : { environment: row.environment }),
    ...(row.addresses === null ? {} : { addresses: fromJsonColumn('agents.addresses', row.addresses, addresses) }),
    disabled: row.disabled === 1,
    origin: row.origin,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(row.last_used_at === null ? {} : { lastUsedAt: row.last_used_at }),
  };
}
