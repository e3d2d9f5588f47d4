import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { approvalEvent, createEventHub, type EventHub } from '@postern/admin';
import { verifyKeyDigest } from '@postern/auth';
import {
  createDbRepositories,
  createMemoryRateLimits,
  createSqliteCallJournal,
  type DbClient,
  openSqlite,
  runInTransaction,
} from '@postern/db';
import type { CallJournal, DbRepositories, RunInTransaction } from '@postern/db/ports';
import {
  ApprovalWatch,
  BodyMemory,
  CallCounts,
  CallQueue,
  createApprovalMessages,
  createArrivalHosts,
  createMetrics,
  createRequestIds,
  createRotatedSecretStore,
  createTenantCompiler,
  createTrustedProxies,
  Directory,
  type DirectoryOptions,
  type Gateway,
  type GatewayMetrics,
  type HeldCalls,
  type OutboxWorker,
  Refusals,
  type SecretVersion,
  secretVersion,
  staleIntegrations,
  TokenKeeper,
} from '@postern/gateway';
import { createUndiciTransport, poolPrefix, type Transport } from '@postern/proxy-runtime';
import { createDnsResolver, createTargetGuard, isOwnListener } from '@postern/ssrf-guard';
import { createSecretCache, createVault, type SecretCache, type SecretEnvelope, type Vault } from '@postern/vault';
import type { DataFolder } from './data-folder.ts';
import type { GatewayKeys } from './keys.ts';
import type { Log } from './log.ts';
import { openNotifications } from './notifications/open-notifications.ts';
import { OwnListeners } from './own-listeners.ts';
import type { BindAddress, Settings } from './settings.ts';
import { createSweeps, type Sweeps } from './sweeps.ts';
import { openTelemetry } from './telemetry/open-telemetry.ts';
import type { Telemetry } from './telemetry/start-telemetry.ts';
import { collectorOfBuffers } from './young-heap.ts';

/** What changes while the program runs. */
export interface RunState {
  stopping: boolean;
  /** Base of links into the data plane; known once it is bound. */
  publicUrl: string;
  /** Base of links into the control plane; known once it is bound. */
  adminUrl: string;
  /** All that calls must not be led to. */
  readonly listeners: BindAddress[];
  /** The data and the control plane's. */
  readonly gatewayListeners: BindAddress[];
}

export interface Parts {
  readonly settings: Settings;
  readonly folder: DataFolder;
  readonly keys: GatewayKeys;
  readonly log: Log;
  readonly state: RunState;
  readonly now: () => number;
}

/** The program put together: every store, client and cache is made here and nowhere else. */
export interface Composition {
  readonly gateway: Gateway;
  readonly metrics: GatewayMetrics;
  readonly db: DbClient;
  readonly repositories: DbRepositories;
  readonly runInTransaction: RunInTransaction;
  readonly vault: Vault;
  /** Delivers notifications; works from the first `wake` on, which the sweeps give. */
  readonly outboxWorker: OutboxWorker;
  /** Not started yet. */
  readonly sweeps: Sweeps;
  readonly ownListeners: OwnListeners;
  /** Tells those who watch at the control plane. */
  readonly events: EventHub;
  /** undefined: it is off. */
  readonly telemetry: Telemetry | undefined;
  /** Drops what is cached of a tenant ('*': of all): the next call reads anew. */
  readonly configurationChanged: (tenant: string) => void;
}

/** Tenants exist from the first start on; this one always does. */
export const DEFAULT_TENANT = 'default';

/** A lock of the operating system, held through SQLite: Node offers no other that dies with the process. */
export function lockFile(path: string): { close(): void } | undefined {
  closeSync(openSync(path, 'a', 0o600));
  const lock = new DatabaseSync(path);
  try {
    lock.exec('pragma locking_mode = exclusive; pragma busy_timeout = 0; begin exclusive');
    return lock;
  } catch {
    lock.close();
    return undefined;
  }
}

/** Opens the database, and closes the intents that earlier boots left open. Listens nowhere yet. */
export async function compose(parts: Parts): Promise<Composition> {
  const { settings, folder, keys, log, state, now } = parts;
  const db = await openSqlite({ file: settings.databaseFile, now });
  const repositories = repositoriesOf(db, parts, () => notifications.worker.wakeSoon());
  const inTransaction: RunInTransaction = (operation, context) => runInTransaction(db, operation, context);
  const journal = createSqliteCallJournal(db, { node: folder.node, boot: randomUUID(), now });
  const vault = createVault({ keyRing: keys.keyRing });
  const secrets = createSecretCache({ open: (reference) => openSecret(repositories, vault, secretVersion(reference)) });
  const transport = createUndiciTransport();
  const metrics = metricsOf({ journal, repositories, log, now }, () => directory.integrations());
  const publicUrl = () => state.publicUrl;
  const telemetry = await openTelemetry({ settings, node: folder.node, publicUrl, metrics, log, now });
  const ownListeners = new OwnListeners({ settings, state, log, integrations: repositories.integrations });
  const directory = directoryOf(parts, repositories, transport, (former, current) => {
    for (const name of staleIntegrations(former, current)) transport.closePools(poolPrefix(former.name, name));
    tokens.forgetStale(former, current);
  });
  const configurationChanged = (tenant: string) => changed(directory, secrets, tenant);
  const path = wayOutOf(parts, journal);
  const rotated = { repositories, runInTransaction: inTransaction, vault, now, onChange: configurationChanged };
  const storeRotatedSecret = createRotatedSecretStore(rotated);
  const notifications = openNotifications({
    ...{ repositories, runInTransaction: inTransaction, adminUrl: () => state.adminUrl, metrics, log, cache: secrets },
    path: { ...path, transport },
  });
  const onDeadSecret = notifications.announceDeadSecret;
  const tokens = new TokenKeeper({ path, secrets, storeRotatedSecret, log, metrics, onDeadSecret });
  const events = createEventHub();
  const gateway: Gateway = {
    ...path,
    ...heldCalls(repositories, vault, { keys, events, now }),
    queue: new CallQueue({ calls: repositories.queuedCalls, runInTransaction: inTransaction }),
    directory,
    secrets,
    tokens,
    transport,
    rateLimits: createMemoryRateLimits(),
    callCounts: new CallCounts(),
    refusals: new Refusals(journal, now, DEFAULT_TENANT),
    trustedProxies: createTrustedProxies(settings.trustedProxies),
    log,
    metrics,
    tracing: telemetry?.tracing,
    environment: settings.environment,
    spoolFolder: folder.spoolFolder,
    bodyMemory: new BodyMemory(),
    onAnswerBytes: collectorOfBuffers(),
    publicUrl,
    ...doorsOf(parts, ownListeners),
    isStopping: () => state.stopping,
  };
  return {
    gateway,
    metrics,
    db,
    repositories,
    runInTransaction: inTransaction,
    vault,
    outboxWorker: notifications.worker,
    sweeps: sweepsOf(repositories, gateway, { events, worker: notifications.worker }),
    ownListeners,
    events,
    telemetry,
    configurationChanged,
  };
}

/** Approvals put messages about themselves into the outbox. */
function repositoriesOf(db: DbClient, { state, now }: Parts, onMessage: () => void): DbRepositories {
  const approvalMessage = createApprovalMessages({ adminUrl: () => state.adminUrl, onMessage });
  return createDbRepositories(db, { now, newId: () => randomUUID(), approvalMessage });
}

function metricsOf(
  {
    journal,
    repositories,
    log,
    now,
  }: Pick<Gateway, 'journal' | 'now'> & Pick<Composition, 'repositories'> & Pick<Parts, 'log'>,
  lanes: Parameters<typeof createMetrics>[1],
): GatewayMetrics {
  const metrics = createMetrics(() => journal.lag().oldestMs / 1_000, lanes);
  metrics.register({
    name: 'postern_log_lines_dropped_total',
    help: 'Log lines that nobody took in time',
    type: 'counter',
    read: log.dropped,
  });
  metrics.register({
    name: 'postern_approvals_pending',
    help: 'Approvals that wait for people',
    type: 'gauge',
    read: () => repositories.approvals.countPending(undefined, now()),
  });
  return metrics;
}

function heldCalls(
  repositories: DbRepositories,
  vault: Vault,
  { keys, events, now }: Pick<Parts, 'keys' | 'now'> & { readonly events: EventHub },
): HeldCalls {
  const { claims, approvals, grants, sealedRequests } = repositories;
  const approvalWatch = new ApprovalWatch();
  return {
    claims,
    approvals,
    grants,
    sealedRequests,
    vault,
    approvalWatch,
    onApproval: (approval, event) => {
      approvalWatch.notify(approval.id);
      events.publish(approvalEvent(event, approval, now()));
    },
    upstreamKeyKey: keys.upstreamKeyKey,
  };
}

function sweepsOf(
  repositories: DbRepositories,
  { now, log, approvalWatch }: Gateway,
  { events, worker }: { readonly events: EventHub; readonly worker: OutboxWorker },
): Sweeps {
  return createSweeps({
    repositories,
    now,
    onError: log.error,
    onExpired: (approval) => {
      approvalWatch.notify(approval.id);
      events.publish(approvalEvent('approval.expired', approval, now()));
    },
    // Messages of other processes, and those due when a clock has jumped.
    onRound: () => worker.wake(),
  });
}

type OnReplaced = NonNullable<DirectoryOptions['onReplaced']>;

function directoryOf(
  { keys, log, now }: Parts,
  { directory, agents }: DbRepositories,
  transport: Transport,
  onReplaced: OnReplaced,
): Directory {
  return new Directory({
    directory,
    agents,
    compileTenant: createTenantCompiler(transport),
    verifyKey: (key, digest, keyId) =>
      verifyKeyDigest(key, { keyId, digest: Buffer.from(digest, 'base64') }, keys.agentKeyHmacKeys),
    onReplaced,
    onError: log.error,
    now,
  });
}

/** What every request passes through that leaves for a tenant: calls, and requests for tokens. */
function wayOutOf({ settings, keys, state, now }: Parts, journal: CallJournal) {
  return {
    journal,
    guard: createTargetGuard({
      resolve: createDnsResolver(settings.dnsServers === undefined ? {} : { servers: settings.dnsServers }),
      now,
    }),
    viaName: keys.viaName,
    isOwnListener: (address: string, port: number) => isOwnListener(address, port, state.listeners),
    now,
    newRequestId: createRequestIds(now),
  };
}

/** Where calls come in. */
function doorsOf({ settings: { hostSuffix }, state }: Parts, ownListeners: OwnListeners) {
  return {
    arrivalHosts: createArrivalHosts({ publicHost: () => hostOf(state.publicUrl), suffix: hostSuffix }),
    hostSuffix,
    ownAddress: (tenant: string, integration: string) => ownListeners.addressOf(tenant, integration),
    ownAddressesOpen: () => ownListeners.allOpen(),
  };
}

function changed(directory: Directory, secrets: SecretCache, tenant: string): void {
  if (tenant === '*') secrets.clear();
  else secrets.drop(tenant);
  directory.changed(tenant);
}

async function openSecret(repositories: DbRepositories, vault: Vault, reference: SecretVersion): Promise<Uint8Array> {
  const { tenant, name, version } = reference;
  const found = await repositories.secrets.getSecretEnvelopeVersion(tenant, name, version);
  if (found === undefined) throw new Error(`secret ${name} of tenant ${tenant} has no version ${version}`);
  return vault.open(reference, JSON.parse(found.envelope) as SecretEnvelope);
}

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.replace(/^\[|\]$/g, '');
}
