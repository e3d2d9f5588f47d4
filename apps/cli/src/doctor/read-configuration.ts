import { type AdminClient, ApiProblem } from '@postern/client';
import { DEFAULT_RISK, type Entry, type Risk } from '@postern/schemas';
import { gather } from '../session.ts';
import type { Configuration, ConfiguredAgent } from './check-configuration.ts';
import { withTemplates } from './read-templates.ts';

/** Everything the checks need of the tenant. */
export async function readConfiguration(client: AdminClient): Promise<Configuration> {
  const [agents, integrations, secrets, rules, risk] = await Promise.all([
    gather(client.agents.all()),
    gather(client.integrations.all()),
    gather(client.secrets.all()),
    gather(client.rules.all()),
    readRisk(client),
  ]);
  const withKeys: ConfiguredAgent[] = [];
  // One after the other: a tenant may have thousands, and the gateway has calls to serve.
  for (const agent of agents) withKeys.push({ ...agent, keys: await client.agents.listKeys(agent.name) });
  return { agents: withKeys, integrations: await withTemplates(client, integrations), secrets, rules, risk };
}

/** A tenant that never wrote a policy has no version of it. */
async function readRisk(client: AdminClient): Promise<Risk> {
  try {
    return (await client.policies.get('active')).risk;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return DEFAULT_RISK;
    throw error;
  }
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
