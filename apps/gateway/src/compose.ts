import { randomUUID } from 'node:crypto';
import type { EventHub } from '@postern/admin/live-events';
import { createDbRepositories, createMemoryRateLimits, type DbClient, runInTransaction } from '@postern/db';
import type { CallJournal, DbRepositories, RunInTransaction } from '@postern/db/ports';
import {
  BodyMemory,
  CallCounts,
  CallQueue,
  createApprovalMessages,
  createArrivalHosts,
  createHeldCallMemory,
  createRequestIds,
  createTrustedProxies,
  type Gateway,
  type GatewayMetrics,
  type OutboxWorker,
  Refusals,
  type SecretVersion,
  secretVersion,
  staleIntegrations,
  TokenKeeper,
} from '@postern/gateway';
import { createUndiciTransport, poolPrefix } from '@postern/proxy-runtime';
import { createDnsResolver, createTargetGuard, isOwnListener } from '@postern/ssrf-guard';
import { createSecretCache, createVault, type SecretEnvelope, type Vault } from '@postern/vault';
import { directoryOf, found, heldCalls, metricsOf, rotationOf, sweepsOf, wordOf } from './compose-parts.ts';
import type { DataFolder } from './data-folder.ts';
import type { Log } from './log.ts';
import { measureDependencies } from './nodes/dependency-metrics.ts';
import type { OpenedNode } from './nodes/open-node.ts';
import type { WordOfChanges } from './nodes/word-of-changes.ts';
import { openNotifications } from './notifications/open-notifications.ts';
import { OwnListeners } from './own-listeners.ts';
import type { BindAddress, Settings } from './settings.ts';
import type { Sweeps } from './sweeps.ts';
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
  readonly log: Log;
  readonly state: RunState;
  readonly node: OpenedNode;
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
  /** Between the nodes; begins and ends with the gateway. */
  readonly word: WordOfChanges;
  /** Tells those who watch at the control plane. */
  readonly events: EventHub;
  /** undefined: it is off. */
  readonly telemetry: Telemetry | undefined;
  /** Drops what is cached of a tenant ('*': of all): the next call reads anew. */
  readonly configurationChanged: (tenant: string) => void;
}

/** Tenants exist from the first start on; this one always does. */
export const DEFAULT_TENANT = 'default';

/** Listens nowhere yet. */
export async function compose(parts: Parts): Promise<Composition> {
  const { settings, folder, log, state, node } = parts;
  const { keys, now, stores } = node;
  const { db } = stores;
  const repositories = repositoriesOf(db, parts, () => notifications.worker.wakeSoon());
  const inTransaction: RunInTransaction = (operation, context) => runInTransaction(db, operation, context);
  const spoolMaxOf = (tenant: string) => directory.limitsOf(tenant)?.auditSpool;
  const journal = stores.openJournal({ ...node, spoolMaxOf });
  const vault = createVault({ keyRing: keys.keyRing });
  const secrets = createSecretCache({ open: (reference) => openSecret(repositories, vault, secretVersion(reference)) });
  const transport = createUndiciTransport();
  const metrics = metricsOf({ journal, repositories, log, now }, () => directory.integrations());
  const publicUrl = () => state.publicUrl;
  const telemetry = await openTelemetry({ settings, node: folder.node, publicUrl, metrics, log, now });
  const ownListeners = new OwnListeners({ settings, state, log, integrations: repositories.integrations });
  const directory = directoryOf(parts, repositories, transport, {
    onReplaced(former, current) {
      for (const name of staleIntegrations(former, current)) transport.closePools(poolPrefix(former.name, name));
      tokens.forgetStale(former, current);
    },
    onFound: stores.sharing && ((tenants) => found(tenants, secrets, ownListeners)),
  });
  const held = createHeldCallMemory();
  const word = wordOf(parts, { directory, secrets, ownListeners, ...held });
  const path = wayOutOf(parts, journal);
  const notifications = openNotifications({
    ...{ repositories, runInTransaction: inTransaction, adminUrl: () => state.adminUrl, metrics, log, cache: secrets },
    path: { ...path, transport },
    environment: settings.environment,
  });
  const onChange = word.configurationChanged;
  const tokens = new TokenKeeper({
    ...{ path, secrets, log, metrics, onDeadSecret: notifications.announceDeadSecret },
    ...rotationOf(node, { repositories, runInTransaction: inTransaction, vault, now, onChange }),
  });
  const gateway: Gateway = {
    ...path,
    ...heldCalls(repositories, vault, { node, events: word.events, held }),
    queue: new CallQueue({ calls: repositories.queuedCalls, runInTransaction: inTransaction }),
    directory,
    secrets,
    tokens,
    transport,
    rateLimits: node.redis?.rateLimits ?? createMemoryRateLimits(),
    redisState: node.redis?.state,
    refusals: new Refusals(journal, now, DEFAULT_TENANT),
    log,
    metrics,
    tracing: telemetry?.tracing,
    publicUrl,
    ...doorsOf(parts, ownListeners),
    ...ownOf(parts),
  };
  measureDependencies(metrics, { ...node, isDatabaseUp: () => directory.isConfirmed() });
  const outboxWorker = notifications.worker;
  return {
    ...{ gateway, metrics, db, repositories, runInTransaction: inTransaction, vault, ownListeners, telemetry },
    outboxWorker,
    sweeps: sweepsOf(repositories, gateway, { node, word, worker: outboxWorker }),
    word,
    events: word.events,
    configurationChanged: onChange,
  };
}

/** Approvals put messages about themselves into the outbox. */
function repositoriesOf(db: DbClient, { state, node: { now } }: Parts, onMessage: () => void): DbRepositories {
  const approvalMessage = createApprovalMessages({ adminUrl: () => state.adminUrl, onMessage });
  return createDbRepositories(db, { now, newId: () => randomUUID(), approvalMessage });
}

/** What every request passes through that leaves for a tenant: calls, and requests for tokens. */
function wayOutOf({ settings, state, node: { keys, now } }: Parts, journal: CallJournal) {
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

/** What this process has of its own. */
function ownOf({ settings, folder, state }: Parts) {
  return {
    callCounts: new CallCounts(),
    trustedProxies: createTrustedProxies(settings.trustedProxies),
    environment: settings.environment,
    spoolFolder: folder.spoolFolder,
    bodyMemory: new BodyMemory(),
    onAnswerBytes: collectorOfBuffers(),
    isStopping: () => state.stopping,
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

async function openSecret(repositories: DbRepositories, vault: Vault, reference: SecretVersion): Promise<Uint8Array> {
  const { tenant, name, version } = reference;
  const found = await repositories.secrets.getSecretEnvelopeVersion(tenant, name, version);
  if (found === undefined) throw new Error(`secret ${name} of tenant ${tenant} has no version ${version}`);
  return vault.open(reference, JSON.parse(found.envelope) as SecretEnvelope);
}

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.replace(/^\[|\]$/g, '');
}
