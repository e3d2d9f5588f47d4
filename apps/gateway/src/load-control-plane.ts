import type { RequestListener } from 'node:http';
import { flushCompileCache } from 'node:module';
import { type AdminDependencies, createAdminServer } from '@postern/admin';
import { readiness } from '@postern/gateway';
import { type ControlPlaneParts, writeDependencies } from './control-plane.ts';

/** What the control plane serves, ready to be asked. */
export async function loadControlPlane(parts: ControlPlaneParts): Promise<RequestListener> {
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
  flushCompileCache();
  return (request, response) => admin.routing(request, response);
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
