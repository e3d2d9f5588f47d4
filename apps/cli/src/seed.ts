import { readFileSync } from 'node:fs';
import { type AdminClient, ApiProblem, createAdminClient } from '@postern/client';
import { configDocumentSchema, type Rule } from '@postern/schemas';
import { parse } from 'yaml';
import type { CliContext } from './context.ts';
import {
  type AdminPlace,
  dataFolderOf,
  findAdminPlace,
  isAlive,
  readAdminToken,
  readRunFile,
} from './gateway-place.ts';

const AGENT = { name: 'dev-agent', roles: ['developer'], trust: 'medium' } as const;
const POLICY = 'policies/default.yaml';

/**
 * Makes what a new installation is tried out with: the rules of `policies/default.yaml` and the agent `dev-agent`, whose key goes to standard
 * output, this once. What is there already is left as it is. Talks to the gateway that runs, or to one that is started for it.
 */
export async function seed(context: CliContext): Promise<void> {
  const { place, stop } = await openGateway(context);
  try {
    const client = createAdminClient(place);
    await keepRules(context, client);
    await keepAgent(context, client);
  } finally {
    await stop();
  }
}

interface OpenedGateway {
  readonly place: Pick<AdminPlace, 'url' | 'token'>;
  readonly stop: () => Promise<void>;
}

async function openGateway(context: CliContext): Promise<OpenedGateway> {
  const folder = dataFolderOf(context);
  const run = context.environment['POSTERN_ADMIN_URL'] ? undefined : readRunFile(folder);
  const isRemote = Boolean(context.environment['POSTERN_ADMIN_URL']);
  if (isRemote || (run !== undefined && isAlive(run.pid)))
    return { place: findAdminPlace(context), stop: async () => undefined };
  const { runGateway } = await import('@postern/app-gateway');
  const gateway = await runGateway({
    environment: withoutListeners({ ...context.environment, POSTERN_DATA_DIR: folder }),
    demo: false,
    say: () => undefined,
  });
  try {
    const token = context.environment['POSTERN_ADMIN_TOKEN'] || readAdminToken(folder);
    return { place: { url: gateway.adminUrl, token }, stop: () => gateway.stop() };
  } catch (error) {
    await gateway.stop();
    throw error;
  }
}

/** Reached by nobody but us: any free ports, no certificates, and what a start-up file says waits for the start that is meant. */
function withoutListeners(environment: CliContext['environment']): Record<string, string | undefined> {
  const kept = Object.entries(environment).filter(([name]) => !/^(POSTERN_(ADMIN_)?(TLS|CLIENT_CA)_|OTEL_)/.test(name));
  return {
    ...Object.fromEntries(kept),
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_CONFIG: '',
    POSTERN_LOG_LEVEL: environment['POSTERN_LOG_LEVEL'] || 'warn',
  };
}

/** Each rule counts from the moment that it is made, so that what forbids comes before what allows. */
const ORDER: Readonly<Record<Rule['effect'], number>> = { deny: 0, require_approval: 1, rate_limit: 2, allow: 3 };

async function keepRules(context: CliContext, client: AdminClient): Promise<void> {
  const text = readFileSync(new URL(`../../../${POLICY}`, import.meta.url), 'utf8');
  const rules = [...(configDocumentSchema.parse(parse(text)).rules ?? [])];
  for (const rule of rules.sort((left, right) => ORDER[left.effect] - ORDER[right.effect])) {
    const isMade = await madeUnlessThere(
      () => client.rules.get(rule.id),
      () => client.rules.create(rule),
    );
    context.note(isMade ? `Rule ${rule.id} of ${POLICY} made.\n` : `Rule ${rule.id} was there already.\n`);
  }
}

async function keepAgent(context: CliContext, client: AdminClient): Promise<void> {
  const isMade = await madeUnlessThere(
    () => client.agents.get(AGENT.name),
    () => client.agents.create({ ...AGENT, roles: [...AGENT.roles] }),
  );
  // Made by a run that ended before its key was: then nobody has been shown one.
  const isWithoutKey = isMade || (await client.agents.listKeys(AGENT.name)).length === 0;
  if (!isWithoutKey) {
    context.note(
      `Agent ${AGENT.name} was there already; "postern agents keys issue ${AGENT.name}" makes a further key.\n`,
    );
    return;
  }
  const { key } = await client.agents.issueKey(AGENT.name);
  context.note(`Agent ${AGENT.name} (developer, trust medium) made. Its key, shown this once:\n`);
  context.write(`${key}\n`);
}

/** Whether it was made: not when it was there, and not when another run was quicker. */
async function madeUnlessThere(find: () => Promise<unknown>, make: () => Promise<unknown>): Promise<boolean> {
  try {
    await find();
    return false;
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'not_found') throw error;
  }
  try {
    await make();
    return true;
  } catch (error) {
    if (error instanceof ApiProblem && error.code === 'conflict') return false;
    throw error;
  }
}
