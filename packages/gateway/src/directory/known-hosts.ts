import type { AgentsPort } from '@postern/db/ports';

/** When an agent's calls were last sent to each host, in milliseconds since the epoch. */
export type AgentHosts = Map<string, number>;

/** Specification, section 8. */
const KNOWN_MS = 30 * 86_400_000;
/** It is not written down more often than this. */
const AGAIN_MS = 86_400_000;
/** What is forgotten here is read again. */
const AGENTS_MAX = 20_000;

/** Whether no call of the agent was sent to the host in the last 30 days. */
export function isNewHost(hosts: AgentHosts, host: string, now: number): boolean {
  const seenAt = hosts.get(host);
  return seenAt === undefined || now - seenAt > KNOWN_MS;
}

/**
 * The hosts that agents' calls were sent to. Read once for each agent, and written behind the calls: what a crash loses makes a host
 * new once more, which can only raise the risk of a call.
 */
export class KnownHosts {
  readonly #store: Pick<AgentsPort, 'listHosts' | 'touchHosts'>;
  readonly #now: () => number;
  /** By the agent's id; the least recently read first. */
  readonly #agents = new Map<string, AgentHosts>();
  #unwritten: { tenant: string; agentId: string; host: string; at: number }[] = [];

  constructor(store: Pick<AgentsPort, 'listHosts' | 'touchHosts'>, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  async hostsOf(tenant: string, agentId: string): Promise<AgentHosts> {
    const known = this.#agents.get(agentId);
    if (known !== undefined) return known;
    const stored = await this.#store.listHosts(tenant, agentId);
    const hosts: AgentHosts = new Map(stored.map(({ host, seenAt }) => [host, seenAt]));
    // Another call of the agent may have been quicker; what that has seen counts too.
    const earlier = this.#agents.get(agentId);
    if (earlier !== undefined) return earlier;
    if (this.#agents.size >= AGENTS_MAX) this.#agents.delete(this.#agents.keys().next().value as string);
    this.#agents.set(agentId, hosts);
    return hosts;
  }

  /** A call of the agent goes out to the host. */
  saw(agent: { readonly tenant: string; readonly id: string; readonly knownHosts: AgentHosts }, host: string): void {
    const now = this.#now();
    const seenAt = agent.knownHosts.get(host);
    if (seenAt !== undefined && now - seenAt < AGAIN_MS) return;
    agent.knownHosts.set(host, now);
    this.#unwritten.push({ tenant: agent.tenant, agentId: agent.id, host, at: now });
  }

  async flush(): Promise<void> {
    if (this.#unwritten.length === 0) return;
    const seen = this.#unwritten;
    this.#unwritten = [];
    await this.#store.touchHosts(seen);
  }
}
