import type { AgentRecord, AgentsPort } from '@postern/db/ports';

/** As many are asked for at once. */
const LOOKUPS_AT_ONCE = 100;

/** The agents of a tenant as far as rules and recorded calls name them: there may be far more. */
export class RecordedAgents {
  readonly #agents: Pick<AgentsPort, 'getByName'>;
  readonly #tenant: string;
  /** By name; undefined: there is none. */
  readonly #known = new Map<string, AgentRecord | undefined>();

  constructor(agents: Pick<AgentsPort, 'getByName'>, tenant: string) {
    this.#agents = agents;
    this.#tenant = tenant;
  }

  /** Reads what `get` needs for these names. */
  async learn(names: Iterable<string>): Promise<void> {
    const unknown = [...new Set(names)].filter((name) => !this.#known.has(name));
    for (let first = 0; first < unknown.length; first += LOOKUPS_AT_ONCE) {
      await Promise.all(unknown.slice(first, first + LOOKUPS_AT_ONCE).map((name) => this.#read(name)));
    }
  }

  /** As it is today; undefined when there is none, or it was not learnt. */
  get(name: string): AgentRecord | undefined {
    return this.#known.get(name);
  }

  async #read(name: string): Promise<void> {
    this.#known.set(name, await this.#agents.getByName(this.#tenant, name));
  }
}
