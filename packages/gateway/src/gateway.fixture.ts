import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type AgentKey, generateAgentKey, type HmacKey, keyDigest } from '@postern/auth';
import {
  createDbRepositories,
  createSqliteCallJournal,
  type DbClient,
  openSqlite,
  runInTransaction,
} from '@postern/db';
import type { DbContext, RunInTransaction } from '@postern/db/ports';
import {
  type Agent,
  agentSchema,
  type Entry,
  type IntegrationInput,
  integrationSchema,
  KEY_SCOPES,
  type KeyScope,
  type Rule,
  ruleSchema,
} from '@postern/schemas';
import { temporaryFolder } from '@postern/testing';
import { deriveKeys, generateMasterKey, parseKeyRing, type Vault } from '@postern/vault';
import { composeParts, type Ground, type Parts, type PartsOptions } from './gateway-parts.fixture.ts';
import { createListener, type ListenerOptions } from './listener.ts';

export const TENANT = 'default';

/** Lets an integration of a test reach its upstream, which lies on loopback and speaks http. */
export const LOOPBACK = {
  unsafeAllowAddresses: ['127.0.0.1/32', '::1/128'],
  unsafeAllowCleartextCredentials: true,
};

export interface TestGatewayOptions extends PartsOptions {
  readonly integrations?: readonly IntegrationInput[];
  /** Default: one that allows everything. */
  readonly rules?: readonly Partial<Rule>[];
  readonly secrets?: Readonly<Record<string, string>>;
  readonly agent?: Partial<Agent>;
  readonly scopes?: readonly KeyScope[];
  readonly listener?: ListenerOptions;
  /** Where the data lies; default: a temporary folder that goes with the gateway. */
  readonly folder?: string;
}

type Stored = Omit<Ground, 'spoolFolder'> & { readonly db: DbClient; readonly hmacKey: HmacKey };

/** One whole data plane in this process on real parts: a SQLite file, a vault, undici, a listening socket. */
export interface TestGateway extends Parts, Ground, AsyncDisposable {
  readonly server: Server;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly db: DbClient;
  /** Makes the digests of agent keys. */
  readonly hmacKey: HmacKey;
  /** The agent `coder` and its key. */
  readonly agentId: string;
  readonly key: string;
  readonly keyId: string;
  /** Another key of the same agent. */
  issueKey(scopes?: readonly KeyScope[], expiresAt?: number): Promise<AgentKey>;
  /** Changes configuration in one transaction, as the control plane does, and tells the data plane. */
  change(operation: (context: DbContext) => Promise<unknown>): Promise<void>;
  /** The same by another process: nobody tells this one. */
  changeElsewhere(operation: (context: DbContext) => Promise<unknown>): Promise<void>;
  /** A new version of a secret, sealed by the gateway's vault or another. */
  writeSecret(name: string, value: string, context: DbContext, vault?: Vault): Promise<void>;
  /** Entries that fit, oldest first, once all that was handed over before is durable. */
  entries(filter?: { readonly type?: string; readonly requestId?: string }): Promise<readonly Entry[]>;
  /** Resolves when `count` calls have ended since the start. */
  waitForCalls(count: number): Promise<void>;
  /** Stops it and removes what it made. May be called again. */
  close(): Promise<void>;
}

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const temporary = options.folder === undefined ? await temporaryFolder() : undefined;
  const folder = options.folder ?? temporary?.path ?? '';
  const spoolFolder = path.join(folder, 'spool');
  await mkdir(spoolFolder, { recursive: true });
  const stored = await openStore(folder);
  const parts = composeParts({ ...stored, spoolFolder }, options);
  const { agentId, ...changes } = await configure(stored, parts, options);
  const { key, publicId } = await issueKey(stored, agentId, options.scopes ?? KEY_SCOPES);
  await parts.directory.start();
  const server = await listen(parts, options.listener);
  const { db, repositories, journal } = stored;

  let closing: Promise<void> | undefined;
  async function closeAll() {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
    await parts.directory.stop();
    await parts.transport.destroy();
    await journal.close().catch(() => undefined);
    await db.close();
    await temporary?.remove();
  }
  const close = () => {
    closing ??= closeAll();
    return closing;
  };
  return Object.assign(parts, stored, {
    spoolFolder,
    server,
    url: parts.state.url,
    port: (server.address() as AddressInfo).port,
    agentId,
    key,
    keyId: publicId,
    issueKey: (scopes: readonly KeyScope[] = KEY_SCOPES, expiresAt?: number) =>
      issueKey(stored, agentId, scopes, expiresAt),
    ...changes,
    writeSecret: (name: string, value: string, context: DbContext, vault = parts.vault) =>
      writeSecret(stored, vault, { name, value }, context),
    entries: async (filter = {}) => {
      await journal.flush();
      return (await repositories.audit.query(TENANT, { ...filter, limit: 100 })).items.toReversed();
    },
    waitForCalls: (count: number) => waitForCalls(parts, count),
    close,
    [Symbol.asyncDispose]: close,
  });
}

async function openStore(folder: string): Promise<Stored> {
  const db = await openSqlite({ file: path.join(folder, 'postern.db') });
  const repositories = createDbRepositories(db, { now: Date.now, newId: randomUUID });
  const journal = createSqliteCallJournal(db, { node: 'node-1', boot: randomUUID(), now: Date.now });
  await journal.recover();
  const keyRing = parseKeyRing(generateMasterKey());
  const [hmacKey] = deriveKeys(keyRing, 'agent-key');
  if (hmacKey === undefined) throw new Error('a key ring has at least one key');
  const inTransaction: RunInTransaction = (operation, context) => runInTransaction(db, operation, context);
  return { db, repositories, journal, keyRing, hmacKey, runInTransaction: inTransaction };
}

async function configure(stored: Stored, parts: Parts, options: TestGatewayOptions) {
  const { db, repositories } = stored;
  const changeElsewhere = (operation: (context: DbContext) => Promise<unknown>) =>
    runInTransaction(db, async (context) => {
      await operation(context);
      await repositories.directory.bump(TENANT, context);
    });
  const change = async (operation: (context: DbContext) => Promise<unknown>) => {
    await changeElsewhere(operation);
    parts.secrets.drop(TENANT);
    parts.directory.changed(TENANT);
  };
  await repositories.tenants.create(TENANT);
  const agent = agentSchema.parse({ name: 'coder', trust: 'medium', ...options.agent });
  const { id: agentId } = await repositories.agents.create(TENANT, agent, 'api');
  await change(async (context) => {
    for (const [name, value] of Object.entries(options.secrets ?? {}))
      await writeSecret(stored, parts.vault, { name, value }, context);
    for (const integration of options.integrations ?? [])
      await repositories.integrations.create(TENANT, integrationSchema.parse(integration), 'api', context);
    for (const rule of options.rules ?? [{}]) {
      const spec = ruleSchema.parse({ id: 'all', effect: 'allow', ...rule });
      await repositories.policyRules.createPolicyRule(TENANT, spec, 'api', context);
    }
  });
  return { agentId, change, changeElsewhere };
}

async function writeSecret(
  { repositories }: Stored,
  vault: Vault,
  { name, value }: { name: string; value: string },
  context: DbContext,
): Promise<void> {
  const version = await repositories.secrets.nextVersion(TENANT, name, context);
  const envelope = vault.seal({ tenant: TENANT, name, version }, Buffer.from(value));
  const record = { tenant: TENANT, name, version, kekId: envelope.kekId, envelope: JSON.stringify(envelope) };
  await repositories.secrets.createSecretEnvelopeVersion(record, { origin: 'api' }, context);
}

async function issueKey(
  { repositories, hmacKey }: Stored,
  agentId: string,
  scopes: readonly KeyScope[],
  expiresAt?: number,
): Promise<AgentKey> {
  const made = generateAgentKey();
  const { digest, keyId } = keyDigest(made.key, hmacKey);
  await repositories.agents.createKey({
    tenant: TENANT,
    id: made.publicId,
    agentId,
    digest: Buffer.from(digest).toString('base64'),
    digestKeyId: keyId,
    scopes,
    origin: 'api',
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  return made;
}

async function listen(parts: Parts, options: ListenerOptions | undefined): Promise<Server> {
  const server = createListener(parts.gateway, options);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  parts.state.url = `${options?.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  parts.state.listeners.push({ address: '127.0.0.1', port });
  return server;
}

function waitForCalls(parts: Parts, count: number): Promise<void> {
  return new Promise((resolve) => {
    const before = parts.onCall;
    parts.onCall = () => {
      before();
      if (parts.calls.length >= count) resolve();
    };
    parts.onCall();
  });
}
