import { verifyKeyDigest } from '@postern/auth';
import { createMemoryRateLimits, type SqliteCallJournal } from '@postern/db';
import type {
  AgentsPort,
  CallJournal,
  DbRepositories,
  DirectoryPort,
  QueuedCallsPort,
  RateLimitsPort,
  RunInTransaction,
} from '@postern/db/ports';
import { createUndiciTransport, poolPrefix, type Transport } from '@postern/proxy-runtime';
import { createTargetGuard, isOwnListener, type Resolve } from '@postern/ssrf-guard';
import {
  createSecretCache,
  createVault,
  deriveKey,
  deriveKeys,
  type KeyRing,
  type SecretCache,
  type SecretEnvelope,
  type Vault,
} from '@postern/vault';
import { ApprovalWatch } from './approvals/approval-watch.ts';
import type { HeldCalls } from './approvals/held-calls.ts';
import { createArrivalHosts } from './arrival-hosts.ts';
import { BodyMemory } from './body/body-memory.ts';
import { CallCounts } from './call-counts.ts';
import { AnsweredClaims } from './claims/answered-claims.ts';
import { type CompiledTenant, createTenantCompiler } from './directory/compiled-tenant.ts';
import { Directory } from './directory/directory.ts';
import { type SecretVersion, secretVersion } from './directory/secret-version.ts';
import { staleIntegrations } from './directory/stale-integrations.ts';
import type { CallLog, Gateway } from './gateway.ts';
import { createMetrics } from './metrics.ts';
import { CallQueue } from './queue/call-queue.ts';
import { Refusals } from './refusals.ts';
import { createRequestIds } from './request-id.ts';
import { createRotatedSecretStore } from './tokens/store-rotated-secret.ts';
import { TokenKeeper } from './tokens/token-keeper.ts';
import { createTrustedProxies } from './trusted-proxies.ts';
import type { WideEvent } from './wide-event.ts';

export interface PartsOptions {
  /** Default: `upstream.test` and `localhost` are 127.0.0.1; nothing else has an address. */
  readonly resolve?: Resolve;
  /** Each wraps a real port, to delay, count or cut what goes through it. */
  readonly wrapAgents?: (agents: AgentsPort) => AgentsPort;
  readonly wrapDirectory?: (directory: DirectoryPort) => DirectoryPort;
  readonly wrapRateLimits?: (rateLimits: RateLimitsPort) => RateLimitsPort;
  readonly wrapJournal?: (journal: CallJournal) => CallJournal;
  readonly trustedProxies?: readonly string[];
  readonly publicHost?: string;
  /** Milliseconds that never go back. */
  readonly directoryClock?: () => number;
  /** Milliseconds since the epoch, for credentials. */
  readonly now?: () => number;
  /** Milliseconds that never go back, for minted tokens. */
  readonly tokenClock?: () => number;
  readonly wrapTransaction?: (run: RunInTransaction) => RunInTransaction;
  /** Memory of all bodies together. */
  readonly bodyMemoryBytes?: number;
  readonly wrapQueuedCalls?: (calls: QueuedCallsPort) => QueuedCallsPort;
  /** For how long a queued call is taken. */
  readonly queueLeaseMs?: number;
  /** How long the directory waits for the store. */
  readonly storeTimeoutMs?: number;
}

export interface Ground {
  readonly repositories: DbRepositories;
  readonly journal: SqliteCallJournal;
  readonly runInTransaction: RunInTransaction;
  readonly keyRing: KeyRing;
  readonly spoolFolder: string;
}

/** The data plane's parts, put together as the application does. */
export interface Parts {
  readonly gateway: Gateway;
  readonly directory: Directory;
  readonly transport: Transport;
  readonly secrets: SecretCache;
  readonly vault: Vault;
  readonly state: { url: string; stopping: boolean; readonly listeners: { address: string; port: number }[] };
  readonly calls: WideEvent[];
  readonly faults: { doing: string; error: unknown }[];
  readonly replaced: { former: CompiledTenant; current: CompiledTenant }[];
  onCall: () => void;
}

const LOOPBACK_NAMES: Readonly<Record<string, string>> = { 'upstream.test': '127.0.0.1', localhost: '127.0.0.1' };

export const resolveLoopback: Resolve = async (name) => {
  const address = LOOPBACK_NAMES[name];
  if (address === undefined) throw new Error(`no address of ${name}`);
  return { addresses: [address], ttlSeconds: 60 };
};

export function composeParts(ground: Ground, options: PartsOptions): Parts {
  const { repositories, journal } = ground;
  const vault = createVault({ keyRing: ground.keyRing });
  const secrets = createSecretCache({ open: (reference) => openSecret(repositories, vault, secretVersion(reference)) });
  const transport = createUndiciTransport();
  const parts = unfinishedParts();
  const directory = createDirectory(ground, options, { transport, parts });
  const { now = Date.now } = options;
  const path = {
    journal: options.wrapJournal?.(journal) ?? journal,
    guard: createTargetGuard({ resolve: options.resolve ?? resolveLoopback }),
    viaName: 'postern-test',
    isOwnListener: (address: string, port: number) => isOwnListener(address, port, parts.state.listeners),
    now,
    newRequestId: createRequestIds(Date.now),
  };
  const metrics = createMetrics(
    () => 0,
    () => directory.integrations(),
  );
  const log: CallLog = {
    call: (event) => {
      parts.calls.push(event);
      parts.onCall();
    },
    error: (error, doing) => parts.faults.push({ doing, error }),
  };
  const storeRotatedSecret = createRotatedSecretStore({
    repositories,
    runInTransaction: options.wrapTransaction?.(ground.runInTransaction) ?? ground.runInTransaction,
    vault,
    now,
    onChange: (tenant) => {
      secrets.drop(tenant);
      directory.changed(tenant);
    },
  });
  const clock = options.tokenClock === undefined ? {} : { clock: options.tokenClock };
  const gateway: Gateway = {
    ...path,
    ...heldCalls(ground, vault),
    queue: callQueue(ground, options),
    directory,
    secrets,
    tokens: new TokenKeeper({ path, secrets, storeRotatedSecret, log, metrics, ...clock }),
    transport,
    rateLimits: options.wrapRateLimits?.(createMemoryRateLimits()) ?? createMemoryRateLimits(),
    callCounts: new CallCounts(),
    refusals: new Refusals(journal, Date.now, 'default'),
    arrivalHosts: createArrivalHosts({ publicHost: () => options.publicHost, suffix: 'to.localhost' }),
    trustedProxies: createTrustedProxies(options.trustedProxies ?? []),
    log,
    metrics,
    spoolFolder: ground.spoolFolder,
    bodyMemory: new BodyMemory(options.bodyMemoryBytes),
    environment: undefined,
    publicUrl: () => parts.state.url,
    hostSuffix: 'to.localhost',
    ownAddress: () => undefined,
    ownAddressesOpen: () => true,
    isStopping: () => parts.state.stopping,
  };
  return Object.assign(parts, { gateway, directory, transport, secrets, vault });
}

function unfinishedParts(): Parts {
  const state = { url: '', stopping: false, listeners: [] };
  return { state, calls: [], faults: [], replaced: [], onCall: () => undefined } as unknown as Parts;
}

function callQueue({ repositories, runInTransaction }: Ground, options: PartsOptions): CallQueue {
  const { queuedCalls } = repositories;
  const calls = options.wrapQueuedCalls?.(queuedCalls) ?? queuedCalls;
  return new CallQueue({ calls, runInTransaction, leaseMs: options.queueLeaseMs });
}

function heldCalls({ repositories, keyRing }: Ground, vault: Vault): HeldCalls {
  const { claims, approvals, grants, sealedRequests, tenantLimits } = repositories;
  const approvalWatch = new ApprovalWatch();
  return {
    claims,
    approvals,
    grants,
    sealedRequests,
    tenantLimits,
    vault,
    answeredClaims: new AnsweredClaims(),
    approvalWatch,
    onApproval: ({ id }) => approvalWatch.notify(id),
    upstreamKeyKey: deriveKey(keyRing, 'upstream-key').key,
  };
}

function createDirectory(
  { repositories, keyRing }: Ground,
  options: PartsOptions,
  { transport, parts }: { transport: Transport; parts: Parts },
): Directory {
  const hmacKeys = deriveKeys(keyRing, 'agent-key');
  return new Directory({
    directory: options.wrapDirectory?.(repositories.directory) ?? repositories.directory,
    agents: options.wrapAgents?.(repositories.agents) ?? repositories.agents,
    compileTenant: createTenantCompiler(transport),
    verifyKey: (key, digest, keyId) => verifyKeyDigest(key, { keyId, digest: Buffer.from(digest, 'base64') }, hmacKeys),
    onReplaced: (former, current) => {
      parts.replaced.push({ former, current });
      for (const name of staleIntegrations(former, current)) transport.closePools(poolPrefix(former.name, name));
      parts.gateway.tokens.forgetStale(former, current);
    },
    onError: (error, doing) => parts.faults.push({ doing, error }),
    now: Date.now,
    ...(options.directoryClock === undefined ? {} : { clock: options.directoryClock }),
    ...(options.storeTimeoutMs === undefined ? {} : { storeTimeoutMs: options.storeTimeoutMs }),
  });
}

async function openSecret(repositories: DbRepositories, vault: Vault, reference: SecretVersion): Promise<Uint8Array> {
  const { tenant, name, version } = reference;
  const found = await repositories.secrets.getSecretEnvelopeVersion(tenant, name, version);
  if (found === undefined) throw new Error(`secret ${name} has no version ${version}`);
  return vault.open(reference, JSON.parse(found.envelope) as SecretEnvelope);
}
