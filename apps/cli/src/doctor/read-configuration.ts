import type { AdminClient } from '@postern/client';
import { gather } from '../session.ts';
import type { Configuration, ConfiguredAgent } from './check-configuration.ts';

/** Everything the checks need of the tenant. */
export async function readConfiguration(client: AdminClient): Promise<Configuration> {
  const [agents, integrations, secrets, rules] = await Promise.all([
    gather(client.agents.all()),
    gather(client.integrations.all()),
    gather(client.secrets.all()),
    gather(client.rules.all()),
  ]);
  const withKeys: ConfiguredAgent[] = [];
  // One after the other: a tenant may have thousands, and the gateway has calls to serve.
  for (const agent of agents) withKeys.push({ ...agent, keys: await client.agents.listKeys(agent.name) });
  return { agents: withKeys, integrations, secrets, rules };
}
