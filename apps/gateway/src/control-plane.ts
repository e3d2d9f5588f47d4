import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AdminDependencies, createAdminServer } from '@postern/admin';
import { readiness } from '@postern/gateway';
import type { Composition } from './compose.ts';
import type { GatewayKeys } from './keys.ts';
import type { Log } from './log.ts';
import type { OpenedNode } from './nodes/open-node.ts';
import type { Settings } from './settings.ts';

export interface ControlPlaneParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly node: OpenedNode;
  readonly composition: Composition;
  /** CIDRs within which every `unsafeAllowAddresses` must lie. */
  readonly unsafeAddressCeiling: readonly string[];
}

/** Specification section 4, as the server without TLS has them. */
const HEAD_LIMITS = {
  maxHeaderSize: 32_768,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  handshakeTimeout: 10_000,
} as const;

/** The control plane's HTTP server, not listening yet. */
export async function createControlPlane(parts: ControlPlaneParts): Promise<{ readonly server: Server }> {
  const { settings, log, node, composition } = parts;
  const { keys } = node;
  const admin = createAdminServer({
    ...writeDependencies(composition, keys),
    adminTokenHmacKeys: keys.adminTokenHmacKeys,
    bootstrapToken: keys.bootstrapToken,
    events: composition.events,
    onApprovalDecided: (_tenant, { id }) => composition.gateway.approvalWatch.notify(id),
    logger: log.logger,
    readiness: async () => readiness(composition.gateway),
    nodes: nodesOf(parts),
    onOutbox: () => composition.outboxWorker.wake(),
    credentialState: (tenant, integration) => composition.gateway.tokens.stateOf(tenant, integration),
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: await composition.metrics.text(),
    }),
    ...(settings.admin.publicUrl === undefined ? {} : { publicUrl: settings.admin.publicUrl }),
    trustedProxies: settings.trustedProxies,
    unsafeAddressCeiling: parts.unsafeAddressCeiling,
    createRequestId: composition.gateway.newRequestId,
  });
  await admin.ready();
  const { tls } = settings.admin;
  if (tls === undefined) return { server: admin.server };
  const client = tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true };
  const options = { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2', ...client, ...HEAD_LIMITS } as const;
  return { server: createTlsServer(options, (request, response) => admin.routing(request, response)) };
}

/** undefined: the gateway is alone on its database. */
function nodesOf({ node: { presence, stores } }: ControlPlaneParts): AdminDependencies['nodes'] {
  const { sharing } = stores;
  if (presence === undefined || sharing === undefined) return undefined;
  return async () => {
    const [known, findings] = await Promise.all([presence.list(), sharing.findings()]);
    return { ...known, findings };
  };
}

/** What writes of configuration need, whoever makes them. */
export function writeDependencies(composition: Composition, keys: GatewayKeys) {
  return {
    repositories: composition.repositories,
    runInTransaction: composition.runInTransaction,
    vault: composition.vault,
    agentKeyHmacKeys: keys.agentKeyHmacKeys,
    now: composition.gateway.now,
    onChange: composition.configurationChanged,
    ownAddresses: composition.ownListeners,
    events: composition.events,
  };
}
