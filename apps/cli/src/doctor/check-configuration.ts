import type { Agent, Integration, Rule } from '@postern/schemas';
import { isLoopback } from '../loopback.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

/** One tenant's configuration, as the control plane lists it. */
export interface Configuration {
  readonly agents: readonly ConfiguredAgent[];
  readonly integrations: readonly Integration[];
  readonly secrets: readonly ConfiguredSecret[];
  readonly rules: readonly Rule[];
}

export interface ConfiguredAgent extends Agent {
  readonly keys: readonly AgentKey[];
}

interface AgentKey {
  readonly id: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

interface ConfiguredSecret {
  readonly name: string;
  readonly environments?: readonly string[];
}

/** Mistakes that each object may have by itself, and that only show when calls are made. */
export function checkConfiguration(configuration: Configuration, now: number): Finding[] {
  const agents = configuration.agents.filter(({ disabled }) => !disabled);
  const integrations = configuration.integrations.filter(({ disabled }) => !disabled);
  const findings = [
    ...agents.flatMap((agent) => [...checkOwner(agent), ...checkKeys(agent, now)]),
    ...integrations.flatMap((integration) => [
      ...checkSecret(integration, configuration),
      ...checkCleartext(integration),
      ...checkReachable(integration, configuration.rules),
    ]),
    ...checkReferences(configuration),
  ];
  if (findings.length > 0) return findings;
  return [
    ok(
      'configuration',
      `${agents.length} agents and ${integrations.length} integrations have none of the known mistakes`,
    ),
  ];
}

function checkOwner({ name, owner }: ConfiguredAgent): Finding[] {
  if (owner !== undefined) return [];
  const message = 'has no owner: nobody is kept from approving the calls of an agent of their own';
  return [warning(`agent ${name}`, message, `postern agents update ${name} --owner PERSON`)];
}

const SOON_MS = 7 * 86_400_000;

function checkKeys({ name, keys }: ConfiguredAgent, now: number): Finding[] {
  const about = `agent ${name}`;
  const remedy = `postern agents keys issue ${name}`;
  const standing = keys.filter(({ revokedAt }) => revokedAt === undefined);
  const expired = standing.filter(({ expiresAt }) => expiresAt !== undefined && Date.parse(expiresAt) <= now);
  const valid = standing.filter((key) => !expired.includes(key));
  if (keys.length === 0) return [warning(about, 'has no key, and cannot call', remedy)];
  if (valid.length === 0) return [broken(about, 'all its keys have expired or are revoked', remedy)];
  const lasting = valid.some(({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > now + SOON_MS);
  return [
    ...expired.map(({ id }) => warning(about, `key ${id} has expired`, `postern agents keys revoke ${name} ${id}`)),
    ...(lasting ? [] : [warning(about, 'its last key ends within a week', remedy)]),
  ];
}

function checkSecret({ name, credential, environments }: Integration, { secrets, agents }: Configuration): Finding[] {
  if (credential.type === 'none') return [];
  const about = `integration ${name}`;
  const secret = secrets.find((candidate) => candidate.name === credential.secret);
  if (secret === undefined) {
    return [
      broken(about, `its secret ${credential.secret} does not exist`, `postern secrets set ${credential.secret}`),
    ];
  }
  const callers = agents.filter(({ disabled }) => !disabled);
  const isOpenTo = (environment: string | undefined) =>
    isFor(secret.environments, environment) && isFor(environments, environment);
  if (callers.length === 0 || callers.some(({ environment }) => isOpenTo(environment))) return [];
  const message = `no agent is of an environment that both it and its secret ${secret.name} are for`;
  const remedy = `Set the environment of an agent, or of the secret: postern secrets set ${secret.name} --environment NAME`;
  return [broken(about, message, remedy)];
}

/** No list means all environments. */
function isFor(environments: readonly string[] | undefined, environment: string | undefined): boolean {
  return environments === undefined || (environment !== undefined && environments.includes(environment));
}

function checkCleartext({ name, baseUrl, credential, network }: Integration): Finding[] {
  const isCleartext = baseUrl.startsWith('http:') || network.schemes?.includes('http') === true;
  // On this machine nobody is on the way.
  if (!isCleartext || credential.type === 'none' || isLoopback(new URL(baseUrl).hostname)) return [];
  const message = `sends secret ${credential.secret} over http, where everybody on the way can read it`;
  return [warning(`integration ${name}`, message, 'Use https, and take unsafeAllowCleartextCredentials out.')];
}

function checkReachable({ name }: Integration, rules: readonly Rule[]): Finding[] {
  const isAllowed = inForce(rules).some(({ effect, integrations }) => {
    return effect !== 'deny' && (integrations === undefined || integrations.includes(name));
  });
  if (isAllowed) return [];
  const remedy = `postern rules create ID --effect allow --integration ${name} --agent AGENT --method GET`;
  return [warning(`integration ${name}`, 'no rule allows any call to it', remedy)];
}

/** Names in rules that nothing has: such a rule never matches. */
function checkReferences({ agents, integrations, rules }: Configuration): Finding[] {
  const agentNames = new Set(agents.map(({ name }) => name));
  const integrationNames = new Set(integrations.map(({ name }) => name));
  return inForce(rules).flatMap((rule) => {
    const missing = [
      ...(rule.agents ?? [])
        .filter((name) => !/[:>]/.test(name) && !agentNames.has(name))
        .map((name) => `agent ${name}`),
      ...(rule.integrations ?? []).filter((name) => !integrationNames.has(name)).map((name) => `integration ${name}`),
    ];
    return missing.map((what) => {
      return warning(`rule ${rule.id}`, `names ${what}, which does not exist`, `postern rules disable ${rule.id}`);
    });
  });
}

function inForce(rules: readonly Rule[]): readonly Rule[] {
  return rules.filter(({ disabled }) => disabled !== true);
}
