import type { Server } from 'node:http';
import { createControlListener } from '@postern/admin/control-listener';
import type { Composition } from './compose.ts';
import type { GatewayKeys } from './keys.ts';
import type { Log } from './log.ts';
import type { OpenedNode } from './nodes/open-node.ts';
import { servedOnDemand } from './served-on-demand.ts';
import type { Settings } from './settings.ts';

export interface ControlPlaneParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly node: OpenedNode;
  readonly composition: Composition;
  /** CIDRs within which every `unsafeAllowAddresses` must lie. */
  readonly unsafeAddressCeiling: readonly string[];
}

/**
 * The control plane's HTTP server, not listening yet. What it serves is loaded when it is asked first: a node whose control plane nobody
 * asks is ready sooner and takes less memory.
 */
export function createControlPlane(parts: ControlPlaneParts): Server {
  const { settings, composition, log } = parts;
  const { newRequestId } = composition.gateway;
  const load = async () => (await import('./load-control-plane.ts')).loadControlPlane(parts);
  const onError = (error: unknown) => log.error(error, 'load the control plane');
  return createControlListener(servedOnDemand(load, { newRequestId, onError }), {
    newRequestId,
    tls: settings.admin.tls,
  });
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
