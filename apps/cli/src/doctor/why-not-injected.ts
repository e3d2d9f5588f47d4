import { type Credential, type Entry, secretNamesOf } from '@postern/schemas';
import type { CliContext } from '../context.ts';
import { Failure } from '../exit.ts';
import {
  type Configuration,
  type ConfiguredAgent,
  type ConfiguredIntegration,
  checkKeys,
  checkTemplate,
  isFor,
} from './check-configuration.ts';
import { checkUpstream, placesOf } from './check-upstreams.ts';
import { broken, type Finding, type MistakeCode, ok, warning } from './finding.ts';
import { ruleStep } from './judge-by-rules.ts';

export interface InjectionQuestion {
  readonly configuration: Configuration;
  /** Calls of the tenant, newest first. */
  readonly entries: readonly Entry[];
  readonly integration: string;
  /** undefined: the one that called last, else the first. */
  readonly agent: string | undefined;
  readonly tenant: string;
}

/**
 * Goes the way of a call from the agent to the upstream, a finding a step, in the order in which the gateway looks. The first that
 * is broken is why nothing was injected.
 */
export async function whyNotInjected(context: CliContext, question: InjectionQuestion): Promise<Finding[]> {
  const integration = findIntegration(question);
  const agent = findAgent(question);
  const own = question.entries.filter((entry) => entry.integration === integration.name && entry.agent === agent.name);
  const { configuration } = question;
  const [place] = placesOf(integration);
  const steps = [
    agentStep(agent, question, context.now()),
    integrationStep(integration),
    environmentStep(integration, agent),
    ruleStep(integration, agent, {
      rules: configuration.rules,
      risk: configuration.risk,
      tenant: question.tenant,
      own,
    }),
    ...(place === undefined ? [] : [await checkUpstream(context, place)]),
    credentialStep(integration),
    ...secretSteps(integration, agent, configuration),
    ...tokenStep(integration),
    schemeStep(integration),
    lastCallStep(own),
  ];
  return [...steps, verdict(steps, integration)];
}

function findIntegration({ configuration, integration: name }: InjectionQuestion): ConfiguredIntegration {
  const found = configuration.integrations.find((integration) => integration.name === name);
  if (found !== undefined) return found;
  const names = configuration.integrations.map((integration) => integration.name);
  throw new Failure(`There is no integration ${name}.`, [
    names.length === 0 ? 'There is none at all yet.' : `There are: ${names.join(', ')}.`,
  ]);
}

function findAgent({ configuration, entries, integration, agent: name }: InjectionQuestion): ConfiguredAgent {
  const { agents } = configuration;
  const last = entries.find((entry) => entry.integration === integration && entry.agent !== undefined)?.agent;
  const wanted = name ?? last ?? agents.find(({ disabled }) => !disabled)?.name ?? agents[0]?.name;
  const found = agents.find((agent) => agent.name === wanted);
  if (found !== undefined) return found;
  if (wanted === undefined) throw new Failure('There is no agent yet.', ['postern agents create NAME']);
  throw new Failure(`There is no agent ${wanted}.`, [`There are: ${agents.map((agent) => agent.name).join(', ')}.`]);
}

function agentStep(agent: ConfiguredAgent, { agent: given }: InjectionQuestion, now: number): Finding {
  const about = `agent ${agent.name}`;
  if (agent.disabled) {
    const remedy = `postern agents enable ${agent.name}`;
    return broken('agent-disabled', { about, message: 'is disabled: every call of it is refused', remedy });
  }
  const [mistake] = checkKeys(agent, now).filter(({ code }) => code === 'agent-without-key' || code === 'keys-expired');
  if (mistake !== undefined) return { ...mistake, status: 'broken' };
  const environment = agent.environment === undefined ? 'no environment' : `environment ${agent.environment}`;
  const other = given === undefined ? ' (another with --agent)' : '';
  return ok(about, `has a valid key, ${environment}, trust ${agent.trust}${other}`);
}

function integrationStep(integration: ConfiguredIntegration): Finding {
  const { name, disabled, baseUrl } = integration;
  const [missing] = checkTemplate(integration);
  if (missing !== undefined) return missing;
  const about = `integration ${name}`;
  if (!disabled) return ok(about, `leads to ${baseUrl}`);
  const remedy = 'Set disabled: false in its file, then: postern apply -f FILE';
  return broken('integration-disabled', { about, message: 'is disabled: every call to it is refused', remedy });
}

function environmentStep({ name, environments }: ConfiguredIntegration, agent: ConfiguredAgent): Finding {
  const about = `environment of ${name}`;
  if (isFor(environments, agent.environment))
    return ok(about, environments === undefined ? 'any' : environments.join(', '));
  return broken('environment-mismatch', {
    about,
    message: `it is there for ${environments?.join(', ')}, and the agent's is ${agent.environment ?? 'none'}`,
    remedy: `postern agents update ${agent.name} --environment ${environments?.[0] ?? 'NAME'}`,
  });
}

function credentialStep({ name, credential }: ConfiguredIntegration): Finding {
  const about = `credential of ${name}`;
  if (credential.type !== 'none') return ok(about, placeOf(credential));
  return broken('credential-missing', {
    about,
    message: 'is of type none: nothing is injected, and calls go out as they are',
    remedy: `postern integrations update ${name} --credential bearer --secret NAME`,
  });
}

/** Where it goes, and of which secret it is made. */
function placeOf(credential: Exclude<Credential, { type: 'none' }>): string {
  switch (credential.type) {
    case 'header':
      return `secret ${credential.secret} goes into the header ${credential.name}`;
    case 'query':
      return `secret ${credential.secret} is appended as the query parameter ${credential.name}`;
    case 'hmac':
      return `a signature by secret ${credential.secret} goes into the header ${credential.header}`;
    case 'mtls':
      return `the certificate of secret ${credential.secret} is shown in the TLS handshake`;
    case 'aws_sigv4':
      return `a signature by secret ${credential.secret} goes into the header Authorization (${credential.service}, ${credential.region})`;
    case 'bearer':
    case 'basic':
      return `secret ${credential.secret} goes into the header Authorization (${credential.type})`;
    case 'oauth2_client_credentials':
    case 'oauth2_refresh':
    case 'jwt_bearer':
    case 'github_app':
      return `a token got with secret ${credential.secret} goes into the header Authorization (${credential.type})`;
  }
}

function secretSteps(
  integration: ConfiguredIntegration,
  agent: ConfiguredAgent,
  configuration: Configuration,
): Finding[] {
  return secretNamesOf(integration.credential).map((name) => {
    const about = `secret ${name}`;
    const secret = configuration.secrets.find((candidate) => candidate.name === name);
    if (secret === undefined)
      return broken('secret-missing', { about, message: 'does not exist', remedy: `postern secrets set ${name}` });
    const { environments } = secret;
    if (isFor(environments, agent.environment))
      return ok(about, `is there, for ${environments?.join(', ') ?? 'any environment'}`);
    const own = agent.environment === undefined ? 'has none' : `is of ${agent.environment}`;
    return broken('environment-mismatch', {
      about,
      message: `is for ${environments?.join(', ')}, and the agent ${own}`,
      remedy: `postern agents update ${agent.name} --environment ${environments?.[0] ?? 'NAME'}`,
    });
  });
}

function tokenStep({ name, credential, credentialState: state }: ConfiguredIntegration): Finding[] {
  if (state === undefined || credential.type === 'none') return [];
  const about = `tokens for ${name}`;
  if (state.status === 'ok') return [ok(about, 'are given out')];
  const message = `cannot be had: ${state.code ?? state.status}`;
  return [broken('credential-failing', { about, message, remedy: `postern secrets set ${credential.secret}` })];
}

function schemeStep({ name, baseUrl, credential, network }: ConfiguredIntegration): Finding {
  const about = `scheme of ${name}`;
  const isSafe = baseUrl.startsWith('https:') || credential.type === 'none';
  if (isSafe) return ok(about, new URL(baseUrl).protocol.slice(0, -1));
  const remedy = 'Use https in the base URL, or say unsafeAllowCleartextCredentials where nobody is on the way.';
  if (network.unsafeAllowCleartextCredentials)
    return ok(about, 'http, and unsafeAllowCleartextCredentials says that it may');
  return broken('cleartext-credential', { about, message: 'http: no secret is ever sent over it', remedy });
}

const WHAT_CODES_MEAN: Readonly<Record<string, MistakeCode>> = {
  denied: 'no-allow-rule',
  credential_unavailable: 'credential-unavailable',
  address_forbidden: 'host-private',
  resolve_failed: 'host-unresolved',
};

function lastCallStep(own: readonly Entry[]): Finding {
  const about = 'last call';
  const last = own.find(({ type }) => type !== 'intent');
  if (last === undefined) return ok(about, 'there was none of this agent to this integration');
  const what = `${last.method ?? ''} ${last.url ?? ''} at ${new Date(last.at).toISOString()}`.trim();
  if (last.code !== undefined) {
    const code = WHAT_CODES_MEAN[last.code] ?? 'upstream-unreachable';
    const message = `${what}: ${last.code}`;
    return warning(code, { about, message, remedy: `postern audit list --request-id ${last.requestId ?? 'ID'}` });
  }
  const message = `${what}: the upstream answered ${last.status}`;
  if (last.status !== 401 && last.status !== 403) return ok(about, message);
  const remedy =
    'If the steps above are in order it was injected, and the upstream does not take it: is the secret valid?';
  return warning('credential-refused', { about, message, remedy });
}

function verdict(steps: readonly Finding[], { name, credential }: ConfiguredIntegration): Finding {
  const first = steps.find(({ status }) => status === 'broken');
  if (first === undefined)
    return ok('answer', `nothing is in the way: the ${credential.type} credential of ${name} is injected`);
  return { ...first, about: 'answer', message: `nothing is injected: ${first.about} ${first.message}` };
}
