import { requireCount, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { AgentsPort } from '../ports/agents.ts';

type AgentHostsPort = Pick<AgentsPort, 'listHosts' | 'touchHosts'>;

export function createAgentHosts(dbClient: DbClient): AgentHostsPort {
  return {
    async listHosts(tenant, agentId) {
      const rows = await dbClient
        .points(tenant)
        .selectFrom('agent_hosts')
        .select(['host', 'seen_at'])
        .where('tenant', '=', tenant)
        .where('agent_id', '=', agentId)
        .orderBy('host')
        .execute();
      return rows.map(({ host, seen_at }) => ({ host, seenAt: seen_at }));
    },

    async touchHosts(seen) {
      if (seen.length > 0)
        await dbClient.writeTogether(
          INSTANCE_SCOPE,
          seen.map((use) => touchQuery(dbClient, use)),
        );
    },
  };
}

/** From the agent's own row, so that one that is gone meanwhile is passed over; never backwards, for nodes may report out of order. */
function touchQuery(
  dbClient: DbClient,
  { tenant, agentId, host, at }: { tenant: string; agentId: string; host: string; at: number },
) {
  requireText('agent_hosts.host', host);
  requireCount('agent_hosts.seen_at', at);
  return dbClient
    .writes(tenant)
    .insertInto('agent_hosts')
    .columns(['tenant', 'agent_id', 'host', 'seen_at'])
    .expression((expression) =>
      expression
        .selectFrom('agents')
        .select((columns) => [
          'agents.tenant',
          'agents.id as agent_id',
          columns.val(host).as('host'),
          columns.val(at).as('seen_at'),
        ])
        .where('agents.tenant', '=', tenant)
        .where('agents.id', '=', agentId),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['tenant', 'agent_id', 'host'])
        .doUpdateSet({ seen_at: at })
        .where('agent_hosts.seen_at', '<', at),
    )
    .compile();
}
