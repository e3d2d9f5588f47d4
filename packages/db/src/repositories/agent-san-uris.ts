import { requireText, withReference } from '../check.ts';
import { requirePlainText } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { AgentCertificatesPort } from '../ports/agent-certificates.ts';
import { DbError } from '../ports/db-error.ts';
import { impossibleRow } from '../stored.ts';
import { inOneTransaction, pointsOf } from '../transaction.ts';
import { toAgentRecord } from './agents.ts';

type SanUrisPort = Pick<AgentCertificatesPort, 'setSanUri' | 'getSanUri' | 'getBySanUri' | 'resolveTenantByAgent'>;

const SAN_URI_LENGTH_MAX = 2_048;
/** RFC 5280 section 4.2.1.6: an absolute URI with scheme and authority, in ASCII; `spiffe://domain/path` is one. */
const SAN_URI = /^[a-z][a-z0-9+.-]*:\/\/[!-~]+$/;

export function createAgentSanUris(dbClient: DbClient): SanUrisPort {
  return {
    async setSanUri(tenant, agentId, sanUri, context) {
      requireText('agent_san_uris.tenant', tenant);
      requireText('agent_san_uris.agent_id', agentId);
      if (sanUri !== undefined) requireSanUri(sanUri);
      await inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const agents = kysely.selectFrom('agents').select('id').where('tenant', '=', tenant).where('id', '=', agentId);
        if ((await agents.executeTakeFirst()) === undefined) {
          throw new DbError('not_found', 'no such agent in that tenant');
        }
        await kysely
          .deleteFrom('agent_san_uris')
          .where('tenant', '=', tenant)
          .where('agent_id', '=', agentId)
          .execute();
        if (sanUri === undefined) return;
        const row = { san_uri: sanUri, tenant, agent_id: agentId };
        await withReference('agent_san_uris.agent_id', kysely.insertInto('agent_san_uris').values(row).execute());
      });
    },

    async getSanUri(tenant, agentId, context) {
      const row = await pointsOf(dbClient, context, tenant)
        .selectFrom('agent_san_uris')
        .select('san_uri')
        .where('tenant', '=', tenant)
        .where('agent_id', '=', agentId)
        .executeTakeFirst();
      return row?.san_uri;
    },

    async getBySanUri(sanUri, context) {
      const row = await pointsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('agent_san_uris')
        .innerJoin('agents', (join) =>
          join.onRef('agents.tenant', '=', 'agent_san_uris.tenant').onRef('agents.id', '=', 'agent_san_uris.agent_id'),
        )
        .selectAll('agents')
        .where('agent_san_uris.san_uri', '=', sanUri)
        .executeTakeFirst();
      return row && toAgentRecord(row);
    },

    async resolveTenantByAgent(agentId, context) {
      const rows = await pointsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('agents')
        .select('tenant')
        .where('id', '=', agentId)
        .limit(2)
        .execute();
      if (rows.length > 1) throw impossibleRow('agents.id', 'is the id of agents of several tenants');
      return rows[0]?.tenant;
    },
  };
}

function requireSanUri(sanUri: string): void {
  requirePlainText('agent_san_uris.san_uri', sanUri, SAN_URI_LENGTH_MAX);
  if (!SAN_URI.test(sanUri) || !URL.canParse(sanUri)) {
    throw new DbError('invalid', 'agent_san_uris.san_uri must be an absolute URI such as spiffe://example.org/agent');
  }
}
