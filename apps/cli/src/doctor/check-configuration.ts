import { type Agent, type Integration, type Risk, type Rule, secretNamesOf } from '@postern/schemas';
import { isLoopback } from '../loopback.ts';
import { checkRules } from './check-rules.ts';
import { broken, type Finding, ok, warning } from './finding.ts';
import type { WithTemplate } from './read-templates.ts';

/** One tenant's configuration, as the control plane lists it. */
export interface Configuration {
  readonly agents: readonly ConfiguredAgent[];
  readonly integrations: readonly ConfiguredIntegration[];
  readonly secrets: readonly ConfiguredSecret[];
  readonly rules: readonly Rule[];
  /** Absent: the defaults. */
  readonly risk?: Risk;
}

export interface ConfiguredAgent extends Agent {
  readonly keys: readonly AgentKey[];
}

interface AgentKey {
  readonly id: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

export type ConfiguredIntegration = Integration &
  WithTemplate & {
    /** How asking for tokens stands, where tokens are asked for. */
    readonly credentialState?: { readonly status: string; readonly code?: string | undefined } | undefined;
  };

export interface ConfiguredSecret {
  readonly name: string;
  readonly environments?: readonly string[];
}

/** Mistakes that each object may have by itself, and that only show when calls are made. */
export function checkConfiguration(configuration: Configuration, now: number): Finding[] {
  const agents = configuration.agents.filter(({ disabled }) => !disabled);
  const integrations = configuration.integrations.filter(({ disabled }) => !disabled);
  const findings = [
    ...configuration.integrations.flatMap(checkTemplate),
    ...agents.flatMap((agent) => [...checkOwner(agent), ...checkKeys(agent, now)]),
    ...integrations.flatMap((integration) => [
      ...checkSecrets(integration, configuration),
      ...checkTokens(integration),
      ...checkCleartext(integration),
      ...checkReachable(integration, configuration.rules),
    ]),
    ...checkRules(configuration),
  ];
  if (findings.length > 0) return findings;
  return [
    ok(
      'configuration',
      `${agents.length} agents and ${integrations.length} integrations have none of the known mistakes`,
    ),
  ];
}

export function checkTemplate({ name, template, isTemplateMissing }: ConfiguredIntegration): Finding[] {
  if (isTemplateMissing !== true) return [];
  return [
    broken('template-missing', {
      about: `integration ${name}`,
      message: `its template ${template} does not exist: every call to it is refused`,
      remedy: `postern integrations update ${name} --template NAME@VERSION`,
    }),
  ];
}

function checkOwner({ name, owner }: ConfiguredAgent): Finding[] {
  if (owner !== undefined) return [];
  return [
    warning('agent-without-owner', {
      about: `agent ${name}`,
      message: 'has no owner: nobody is kept from approving the calls of an agent of their own',
      remedy: `postern agents update ${name} --owner PERSON`,
    }),
  ];
}

const SOON_MS = 7 * 86_400_000;

export function checkKeys({ name, keys }: ConfiguredAgent, now: number): Finding[] {
  const about = `agent ${name}`;
  const remedy = `postern agents keys issue ${name}`;
  const standing = keys.filter(({ revokedAt }) => revokedAt === undefined);
  const expired = standing.filter(({ expiresAt }) => expiresAt !== undefined && Date.parse(expiresAt) <= now);
  const valid = standing.filter((key) => !expired.includes(key));
  if (keys.length === 0)
    return [warning('agent-without-key', { about, message: 'has no key, and cannot call', remedy })];
  if (valid.length === 0)
    return [broken('keys-expired', { about, message: 'all its keys have expired or are revoked', remedy })];
  const lasting = valid.some(({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > now + SOON_MS);
  return [
    ...expired.map(({ id }) => {
      const message = `key ${id} has expired`;
      return warning('key-expired', { about, message, remedy: `postern agents keys revoke ${name} ${id}` });
    }),
    ...(lasting ? [] : [warning('key-expiring', { about, message: 'its last key ends within a week', remedy })]),
  ];
}

function checkSecrets(integration: ConfiguredIntegration, configuration: Configuration): Finding[] {
  const names = secretNamesOf(integration.credential);
  const about = `integration ${integration.name}`;
  const missing = names.filter((name) => !configuration.secrets.some((secret) => secret.name === name));
  if (missing.length === 0) return checkEnvironments(integration, configuration);
  return missing.map((name) => {
    return broken('secret-missing', {
      about,
      message: `its secret ${name} does not exist`,
      remedy: `postern secrets set ${name}`,
    });
  });
}

function checkEnvironments({ name, credential, environments }: ConfiguredIntegration, configuration: Configuration) {
  const callers = configuration.agents.filter(({ disabled }) => !disabled);
  const about = `integration ${name}`;
  const secrets = configuration.secrets.filter((secret) => secretNamesOf(credential).includes(secret.name));
  const isOpenTo = (environment: string | undefined) =>
    [environments, ...secrets.map((secret) => secret.environments)].every((list) => isFor(list, environment));
  if (callers.length === 0 || callers.some(({ environment }) => isOpenTo(environment))) return [];
  const [secret] = secrets;
  if (secret === undefined) {
    const message = `no agent is of an environment that it is for (${environments?.join(', ')})`;
    const remedy = 'postern agents update NAME --environment ENVIRONMENT';
    return [broken('environment-mismatch', { about, message, remedy })];
  }
  const message = `no agent is of an environment that both it and its secret ${secret.name} are for`;
  const remedy = `Set the environment of an agent, or of the secret: postern secrets set ${secret.name} --environment NAME`;
  return [broken('environment-mismatch', { about, message, remedy })];
}

/** No list means all environments. */
export function isFor(environments: readonly string[] | undefined, environment: string | undefined): boolean {
  return environments === undefined || (environment !== undefined && environments.includes(environment));
}

function checkTokens({ name, credential, credentialState: state }: ConfiguredIntegration): Finding[] {
  if (state === undefined || state.status === 'ok' || credential.type === 'none') return [];
  const about = `integration ${name}`;
  const code = state.code === undefined ? '' : ` (${state.code})`;
  if (state.status === 'failing') {
    const message = `tokens for its credential cannot be had at present${code}`;
    const remedy = 'Is the token endpoint up? The gateway asks again by itself; its log says why.';
    return [warning('credential-failing', { about, message, remedy })];
  }
  const message = `the token endpoint refuses its credential for good${code}`;
  const remedy = `Write a valid one: postern secrets set ${credential.secret}`;
  return [broken('credential-failing', { about, message, remedy })];
}

function checkCleartext({ name, baseUrl, credential, network }: ConfiguredIntegration): Finding[] {
  const isCleartext = baseUrl.startsWith('http:') || network.schemes?.includes('http') === true;
  // On this machine nobody is on the way.
  if (!isCleartext || credential.type === 'none' || isLoopback(new URL(baseUrl).hostname)) return [];
  return [
    warning('cleartext-credential', {
      about: `integration ${name}`,
      message: `sends secret ${credential.secret} over http, where everybody on the way can read it`,
      remedy: 'Use https, and take unsafeAllowCleartextCredentials out.',
    }),
  ];
}

function checkReachable({ name }: ConfiguredIntegration, rules: readonly Rule[]): Finding[] {
  const isAllowed = rules.some(({ disabled, effect, integrations, shadow }) => {
    const isOpening = effect === 'allow' || effect === 'require_approval';
    return (
      disabled !== true && shadow !== true && isOpening && (integrations === undefined || integrations.includes(name))
    );
  });
  if (isAllowed) return [];
  return [
    warning('no-allow-rule', {
      about: `integration ${name}`,
      message: 'no rule allows any call to it',
      remedy: `postern rules create ID --effect allow --integration ${name} --agent AGENT --method GET`,
    }),
  ];
}
