import { readFileSync } from 'node:fs';
import { writePolicyInTenant } from '@postern/admin/configuration';
import { generateAgentKey, keyDigest, parseAgentKey } from '@postern/auth';
import type { DbContext } from '@postern/db/ports';
import { configDocumentSchema, type Integration, integrationSchema, KEY_SCOPES, type Rule } from '@postern/schemas';
import { parse } from 'yaml';
import { bind, urlOf } from './bind.ts';
import { type Composition, DEFAULT_TENANT } from './compose.ts';
import { writeDependencies } from './control-plane.ts';
import { type DataFolder, DataFolderError } from './data-folder.ts';
import { createDemoUpstream } from './demo-upstream.ts';
import type { GatewayKeys } from './keys.ts';

const AGENT = 'demo-agent';
const INTEGRATION = 'demo';
const SECRET = 'demo-secret';

export interface Demo {
  /** The line a person pastes. */
  readonly curl: string;
  stop(): void;
}

/**
 * Starts the demo upstream and sees to it that one agent may read from it. The agent's key and the upstream's secret are kept in
 * the data folder, so that every start prints the same line.
 */
export async function startDemo(composition: Composition, folder: DataFolder, keys: GatewayKeys): Promise<Demo> {
  const secret = folder.keep(
    'demo-upstream-secret',
    () => `demo-${generateAgentKey().publicId}${generateAgentKey().publicId}`,
  );
  const key = folder.keep('demo-agent-key', () => generateAgentKey().key);
  const upstream = createDemoUpstream(secret);
  const bound = await bind(upstream, { address: '127.0.0.1', port: 0 }, 'the demo upstream');
  upstream.unref();
  const origin = { tenant: DEFAULT_TENANT, actor: 'start --demo' };
  await writePolicyInTenant(writeDependencies(composition, keys), origin, async ({ context, record }) => {
    await keepSecret(composition, secret, context);
    await keepIntegration(composition, urlOf(bound, false), context);
    await keepAgent(composition, key, keys, context);
    await keepRules(composition, context);
    await record('admin.applied', 'demo');
  });
  const { publicUrl } = composition.gateway;
  return {
    curl: `curl -H 'Postern-Key: ${key}' ${publicUrl()}/to/${INTEGRATION}/hello`,
    stop: () => {
      upstream.close();
      upstream.closeAllConnections();
    },
  };
}

async function keepSecret({ repositories, vault }: Composition, value: string, context: DbContext): Promise<void> {
  if ((await repositories.secrets.getByName(DEFAULT_TENANT, SECRET, context)) !== undefined) return;
  const version = await repositories.secrets.nextVersion(DEFAULT_TENANT, SECRET, context);
  const envelope = vault.seal({ tenant: DEFAULT_TENANT, name: SECRET, version }, Buffer.from(value));
  await repositories.secrets.createSecretEnvelopeVersion(
    { tenant: DEFAULT_TENANT, name: SECRET, version, kekId: envelope.kekId, envelope: JSON.stringify(envelope) },
    { origin: 'api' },
    context,
  );
}

/** The upstream's port is another at each start, so the integration follows it. */
async function keepIntegration({ repositories }: Composition, baseUrl: string, context: DbContext): Promise<void> {
  const spec: Integration = integrationSchema.parse({
    name: INTEGRATION,
    baseUrl,
    credential: { type: 'bearer', secret: SECRET },
    network: { unsafeAllowAddresses: ['127.0.0.1/32'], unsafeAllowCleartextCredentials: true },
    actions: [{ name: 'hello.read', methods: ['GET', 'HEAD'], paths: ['/hello'], risk: 'low' }],
  });
  const found = await repositories.integrations.getByName(DEFAULT_TENANT, INTEGRATION, context);
  if (found === undefined) await repositories.integrations.create(DEFAULT_TENANT, spec, 'api', context);
  else await repositories.integrations.update(DEFAULT_TENANT, found.id, spec, {}, context);
}

async function keepAgent(
  { repositories }: Composition,
  key: string,
  keys: GatewayKeys,
  context: DbContext,
): Promise<void> {
  const agent =
    (await repositories.agents.getByName(DEFAULT_TENANT, AGENT, context)) ??
    (await repositories.agents.create(
      DEFAULT_TENANT,
      { name: AGENT, owner: 'demo', roles: ['developer'], trust: 'medium', disabled: false },
      'api',
      context,
    ));
  const publicId = parseAgentKey(key)?.publicId;
  if (publicId === undefined)
    throw new DataFolderError('demo-agent-key in the data folder is no agent key; remove the file to have one made.');
  const known = await repositories.agents.listKeys(DEFAULT_TENANT, agent.id, context);
  if (known.some((record) => record.id === publicId)) return;
  const { digest, keyId } = keyDigest(key, keys.agentKeyHmacKeys[0]);
  await repositories.agents.createKey(
    {
      tenant: DEFAULT_TENANT,
      id: publicId,
      agentId: agent.id,
      digest: Buffer.from(digest).toString('base64'),
      digestKeyId: keyId,
      scopes: [...KEY_SCOPES],
      origin: 'api',
    },
    context,
  );
}

/** The default policy, for the demo integration alone: it must not widen what else is configured. */
async function keepRules({ repositories }: Composition, context: DbContext): Promise<void> {
  const text = readFileSync(new URL('../../../policies/default.yaml', import.meta.url), 'utf8');
  const { rules } = configDocumentSchema.parse(parse(text));
  for (const rule of rules ?? []) {
    const own: Rule = { ...rule, id: `demo-${rule.id}`, integrations: [INTEGRATION] };
    const found = await repositories.policyRules.getPolicyRuleById(DEFAULT_TENANT, own.id, context);
    if (found === undefined) await repositories.policyRules.createPolicyRule(DEFAULT_TENANT, own, 'api', context);
  }
}
