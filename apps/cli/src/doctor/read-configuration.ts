import type { AdminClient } from '@postern/client';
import type { Entry } from '@postern/schemas';
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

/** As many as the control plane gives at once, of each kind. */
const ENTRIES_MAX = 100;

/** What became of the latest calls, newest first: of one integration, or of all. */
export async function readLatestCalls(client: AdminClient, integration?: string): Promise<readonly Entry[]> {
  const query = { limit: ENTRIES_MAX, ...(integration === undefined ? {} : { integration }) };
  const kinds = ['outcome', 'denied', 'ssrf.denied'] as const;
  const pages = await Promise.all(kinds.map((type) => client.audit.events({ ...query, type })));
  return pages.flatMap(({ items }) => items).sort((left, right) => right.seq - left.seq);
}
