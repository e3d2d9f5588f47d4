import type { Agent, Integration, Rule } from '@postern/schemas';
import { type AdminApi, apiPath, listAll } from '../admin-api.ts';
import type { Configuration, ConfiguredAgent } from './check-configuration.ts';

/** Everything the checks need of the tenant. */
export async function readConfiguration(api: AdminApi): Promise<Configuration> {
  const [agents, integrations, secrets, rules] = await Promise.all([
    listAll<Agent>(api, apiPath('agents')),
    listAll<Integration>(api, apiPath('integrations')),
    listAll<Configuration['secrets'][number]>(api, apiPath('secrets')),
    listAll<Rule>(api, apiPath('rules')),
  ]);
  const withKeys: ConfiguredAgent[] = [];
  // One after the other: a tenant may have thousands, and the gateway has calls to serve.
  for (const agent of agents) {
    const { items } = await api.get<{ items: ConfiguredAgent['keys'] }>(apiPath('agents', agent.name, 'keys'));
    withKeys.push({ ...agent, keys: items });
  }
  return { agents: withKeys, integrations, secrets, rules };
}
