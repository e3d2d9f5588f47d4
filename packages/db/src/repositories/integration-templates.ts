import type { Credential, Integration } from '@postern/schemas';
import { type Kysely, sql } from 'kysely';
import { requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { toJsonColumn } from '../json-column.ts';
import { DbError } from '../ports/db-error.ts';
import type {
  BoundTemplate,
  ExecutionStatus,
  IntegrationTemplate,
  IntegrationTemplatesPort,
} from '../ports/integration-templates.ts';
import type { IntegrationRecord } from '../ports/integrations.ts';
import type { IntegrationRow, Tables, TemplateVersionRow } from '../tables.ts';
import { pointsOf, requireScope } from '../transaction.ts';
import { AGENT_COLUMNS, type PrefixedAgentRow, toAgentOfRow } from './agent-columns.ts';
import { selectIntegrations, toIntegrationRecord } from './integrations.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { toTemplateVersionRecord } from './templates.ts';

export function createIntegrationTemplates(dbClient: DbClient, options: RepositoryOptions): IntegrationTemplatesPort {
  return {
    ...createBinding(dbClient, options),

    async getIntegrationTemplateBinding(tenant, integrationId, context) {
      const query = selectIntegrations(pointsOf(dbClient, context, tenant), tenant).where('id', '=', integrationId);
      const row = await query.executeTakeFirst();
      if (row === undefined) return undefined;
      const { name, spec } = toIntegrationRecord(row);
      const template = readReference(spec.template);
      return { tenant, integrationId, integration: name, ...(template === undefined ? {} : { template }) };
    },

    async getIntegrationTemplateForPolicyEvaluation(tenant, integrationId, context) {
      const kysely = pointsOf(dbClient, context, tenant);
      const row = await selectWithTemplate(dbClient, kysely, tenant, integrationId).executeTakeFirst();
      return row && toIntegrationTemplate(row as JoinedRow);
    },

    async getIntegrationTemplateForExecute(tenant, { integrationId, agentId }, context) {
      const kysely = pointsOf(dbClient, context, tenant);
      const row = await selectWithTemplate(dbClient, kysely, tenant, integrationId)
        .innerJoin('agents', (join) =>
          join.onRef('agents.tenant', '=', 'integrations.tenant').on('agents.id', '=', agentId),
        )
        .select(AGENT_COLUMNS)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const agent = toAgentOfRow(row as JoinedRow & PrefixedAgentRow);
      const { integration, bound } = toIntegrationTemplate(row as JoinedRow);
      const executionStatus = statusOf(agent.disabled, integration.spec.disabled);
      return { agent, integration, bound, executable: executionStatus === 'executable', executionStatus };
    },
  };
}

function createBinding(dbClient: DbClient, { now }: RepositoryOptions): Pick<IntegrationTemplatesPort, 'bindSecret'> {
  return {
    async bindSecret(tenant, integrationId, { secret, ifVersion }, context) {
      const kysely = requireScope(dbClient, context, 'binding a secret').kysely(tenant);
      requireText('secrets.name', secret);
      const current = await requireIntegration(kysely, tenant, integrationId);
      if (ifVersion !== undefined && current.version !== ifVersion) throw changed();
      const { spec } = current;
      if (spec.credential.type === 'none') {
        throw new DbError('invalid', 'integrations.spec: a credential of type none has no secret');
      }
      await requireSecret(kysely, tenant, secret);
      const bound: Integration = { ...spec, credential: { ...spec.credential, secret } satisfies Credential };
      const row = await kysely
        .updateTable('integrations')
        .set({ spec: toJsonColumn(bound), version: current.version + 1, updated_at: now() })
        .where('tenant', '=', tenant)
        .where('id', '=', integrationId)
        .where('version', '=', current.version)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw changed();
      return toIntegrationRecord(row);
    },
  };
}

async function requireIntegration(kysely: Kysely<Tables>, tenant: string, id: string): Promise<IntegrationRecord> {
  const row = await selectIntegrations(kysely, tenant).where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new DbError('not_found', 'no such integration in that tenant');
  return toIntegrationRecord(row);
}

async function requireSecret(kysely: Kysely<Tables>, tenant: string, name: string): Promise<void> {
  const secrets = kysely.selectFrom('secrets').select('name').where('tenant', '=', tenant).where('name', '=', name);
  if ((await secrets.executeTakeFirst()) === undefined) {
    throw new DbError('not_found', 'no such secret in that tenant');
  }
}

function changed(): DbError {
  return new DbError('stale', 'integrations.version has changed');
}

/** An integration with the tenant's own version that it names; those columns are null where there is none in use. */
type JoinedRow = IntegrationRow & {
  [Column in keyof TemplateVersionRow as `template_${Column}`]: TemplateVersionRow[Column] | null;
};

function selectWithTemplate({ capabilities }: DbClient, kysely: Kysely<Tables>, tenant: string, integrationId: string) {
  const named = sql.raw<string>(capabilities.jsonMember('integrations.spec', 'template'));
  return kysely
    .selectFrom('integrations')
    .leftJoin('template_versions as t', (join) =>
      join
        .onRef('t.tenant', '=', 'integrations.tenant')
        .on('t.active', '=', 1)
        .on(named, '=', sql<string>`t.name || '@' || t.version`),
    )
    .selectAll('integrations')
    .select(['t.tenant as template_tenant', 't.name as template_name', 't.version as template_version'])
    .select(['t.spec as template_spec', 't.content_hash as template_content_hash', 't.origin as template_origin'])
    .select(['t.active as template_active', 't.created_at as template_created_at'])
    .where('integrations.tenant', '=', tenant)
    .where('integrations.id', '=', integrationId);
}

function toIntegrationTemplate(row: JoinedRow): IntegrationTemplate {
  const integration = toIntegrationRecord(row);
  return { integration, bound: boundTemplate(integration, row) };
}

function boundTemplate({ spec }: IntegrationRecord, row: JoinedRow): BoundTemplate {
  const named = readReference(spec.template);
  if (named === undefined) return { kind: 'none' };
  if (row.template_name === null) return { kind: 'not_stored', ...named };
  const template = toTemplateVersionRecord({
    tenant: row.tenant,
    name: row.template_name,
    version: row.template_version,
    spec: row.template_spec,
    content_hash: row.template_content_hash,
    origin: row.template_origin,
    active: row.template_active,
    created_at: row.template_created_at,
  } as TemplateVersionRow);
  return { kind: 'stored', template };
}

/** `name@version`, in the form that the schema holds it to. */
function readReference(reference: string | null): { readonly name: string; readonly version: number } | undefined {
  if (reference === null) return undefined;
  const place = reference.lastIndexOf('@');
  return { name: reference.slice(0, place), version: Number(reference.slice(place + 1)) };
}

function statusOf(agentIsDisabled: boolean, integrationIsDisabled: boolean): ExecutionStatus {
  if (agentIsDisabled) return 'agent_disabled';
  return integrationIsDisabled ? 'integration_disabled' : 'executable';
}
