import { NAME_PATTERN, TRUST_LEVELS } from '@postern/schemas';

/** The `agents` list of a rule, by kind of selector; any one that fits suffices. */
export interface AgentSelectors {
  readonly names: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
  readonly environments: ReadonlySet<string>;
  /** The lowest `trust>=` of the list; Infinity without one. */
  readonly trustMin: number;
}

/** The agent of a call as policy sees it. `trust` is 0 (untrusted) to 4 (admin). */
export interface AgentFacts {
  readonly name: string;
  readonly roles: readonly string[];
  readonly trust: number;
  readonly environment?: string | null | undefined;
}

const SELECTOR_FORMS = 'must be an agent name, role:NAME, environment:NAME or trust>=LEVEL';

/** Sorts selectors that `agentSelectorProblem` has nothing against. */
export function compileAgentSelectors(selectors: readonly string[]): AgentSelectors {
  const names = new Set<string>();
  const roles = new Set<string>();
  const environments = new Set<string>();
  let trustMin = Number.POSITIVE_INFINITY;
  for (const selector of selectors) {
    if (selector.startsWith('role:')) roles.add(selector.slice(5));
    else if (selector.startsWith('environment:')) environments.add(selector.slice(12));
    else if (selector.startsWith('trust>=')) trustMin = Math.min(trustMin, trustLevel(selector.slice(7)) ?? trustMin);
    else names.add(selector);
  }
  return { names, roles, environments, trustMin };
}

export function matchesAgent(selectors: AgentSelectors, agent: AgentFacts): boolean {
  if (agent.trust >= selectors.trustMin || selectors.names.has(agent.name)) return true;
  if (typeof agent.environment === 'string' && selectors.environments.has(agent.environment)) return true;
  if (selectors.roles.size === 0) return false;
  for (const role of agent.roles) if (selectors.roles.has(role)) return true;
  return false;
}

/** Why `selector` cannot stand in an `agents` list, or undefined. */
export function agentSelectorProblem(selector: string): string | undefined {
  if (selector.startsWith('trust>=')) {
    if (trustLevel(selector.slice(7)) !== undefined) return undefined;
    return `must compare trust with ${TRUST_LEVELS.join(', ')} or 0 to ${TRUST_LEVELS.length - 1}`;
  }
  const name = /^(?:role:|environment:)?(.*)$/s.exec(selector)?.[1] ?? '';
  return NAME_PATTERN.test(name) ? undefined : SELECTOR_FORMS;
}

function trustLevel(text: string): number | undefined {
  const level = /^[0-4]$/.test(text) ? Number(text) : (TRUST_LEVELS as readonly string[]).indexOf(text);
  return level === -1 ? undefined : level;
}
