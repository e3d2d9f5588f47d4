import { approvalEvent, createEventHub, type EventHub } from '@postern/admin/live-events';
import { verifyKeyDigest } from '@postern/auth';
import type { DbRepositories } from '@postern/db/ports';
import {
  createMetrics,
  createNodeTurns,
  createRotatedSecretStore,
  createTenantCompiler,
  Directory,
  type DirectoryOptions,
  type Gateway,
  type GatewayMetrics,
  type HeldCallMemory,
  type HeldCalls,
  type OutboxWorker,
  type RotatedSecretStore,
  type TokenKeeperOptions,
} from '@postern/gateway';
import type { Transport } from '@postern/proxy-runtime';
import type { SecretCache, Vault } from '@postern/vault';
import type { Composition, Parts } from './compose.ts';
import { createBackgroundLease } from './nodes/background-lease.ts';
import type { OpenedNode } from './nodes/open-node.ts';
import { createWordOfChanges, type WordOfChanges } from './nodes/word-of-changes.ts';
import type { OwnListeners } from './own-listeners.ts';
import { createSweeps, type Sweeps } from './sweeps.ts';

interface HeldInMemory {
  readonly directory: Directory;
  readonly secrets: SecretCache;
  readonly ownListeners: OwnListeners;
  readonly approvalWatch: HeldCallMemory['approvalWatch'];
}

/** What this node holds of the configuration goes when it changes, here or elsewhere. */
export function wordOf(
  { node, log }: Parts,
  { directory, secrets, ownListeners, approvalWatch }: HeldInMemory,
): WordOfChanges {
  return createWordOfChanges({
    wires: node.redis,
    boot: node.boot,
    hub: createEventHub(),
    dropHeld: (tenant) => changed(directory, secrets, tenant),
    onForeignChange: () => void ownListeners.follow(),
    onApproval: (id) => approvalWatch.notify(id),
    onError: log.error,
  });
}

export function rotationOf(
  node: OpenedNode,
  store: RotatedSecretStore & Pick<Composition, 'repositories'>,
): Pick<TokenKeeperOptions, 'storeRotatedSecret' | 'nodeTurns'> {
  const { backgroundLeases: leases, secrets } = store.repositories;
  return {
    storeRotatedSecret: createRotatedSecretStore(store),
    nodeTurns: node.stores.sharing === undefined ? undefined : createNodeTurns({ leases, secrets, owner: node }),
  };
}

export function metricsOf(
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

export function heldCalls(
  repositories: DbRepositories,
  vault: Vault,
  {
    node: { keys, now },
    events,
    held,
  }: Pick<Parts, 'node'> & { readonly events: EventHub; readonly held: HeldCallMemory },
): HeldCalls {
  const { claims, approvals, grants, sealedRequests, tenantLimits } = repositories;
  return {
    claims,
    approvals,
    grants,
    sealedRequests,
    tenantLimits,
    vault,
    ...held,
    onApproval: (approval, event) => {
      held.approvalWatch.notify(approval.id);
      events.publish(approvalEvent(event, approval, now()));
    },
    upstreamKeyKey: keys.upstreamKeyKey,
  };
}

export function sweepsOf(
  repositories: DbRepositories,
  { now, log, approvalWatch }: Gateway,
  { node, word, worker }: Pick<Parts, 'node'> & { readonly word: WordOfChanges; readonly worker: OutboxWorker },
): Sweeps {
  const { events, templateChanged } = word;
  return createSweeps({
    repositories,
    lease: node.stores.sharing && createBackgroundLease(repositories.backgroundLeases, 'sweeps', node),
    now,
    onError: log.error,
    onExpired: (approval) => {
      approvalWatch.notify(approval.id);
      events.publish(approvalEvent('approval.expired', approval, now()));
    },
    onTemplate: templateChanged,
    // Messages of other processes, and those due when a clock has jumped.
    onRound: () => worker.wake(),
  });
}

export function directoryOf(
  { node: { keys, now }, log }: Parts,
  { directory, agents }: DbRepositories,
  transport: Transport,
  told: Pick<DirectoryOptions, 'onReplaced' | 'onFound'>,
): Directory {
  return new Directory({
    directory,
    agents,
    compileTenant: createTenantCompiler(transport),
    verifyKey: (key, digest, keyId) =>
      verifyKeyDigest(key, { keyId, digest: Buffer.from(digest, 'base64') }, keys.agentKeyHmacKeys),
    ...told,
    onError: log.error,
    now,
  });
}

function changed(directory: Directory, secrets: SecretCache, tenant: string): void {
  if (tenant === '*') secrets.clear();
  else secrets.drop(tenant);
  directory.changed(tenant);
}

/** Another node may have changed them: a secret that was removed and made anew has the same versions. */
export function found(tenants: readonly string[], secrets: SecretCache, ownListeners: OwnListeners): void {
  for (const tenant of tenants) secrets.drop(tenant);
  void ownListeners.follow();
}
