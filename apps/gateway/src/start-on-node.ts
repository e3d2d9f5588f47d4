import type { Server } from 'node:http';
import { createListener, stopListener, trackConnections } from '@postern/gateway';
import { bind, listenOf, urlOf } from './bind.ts';
import { type Composition, compose, DEFAULT_TENANT, type RunState } from './compose.ts';
import { createControlPlane, writeDependencies } from './control-plane.ts';
import type { DataFolder } from './data-folder.ts';
import type { Demo } from './demo.ts';
import type { Log } from './log.ts';
import type { OpenedNode } from './nodes/open-node.ts';
import type { RunningGateway, RunOptions } from './run-gateway.ts';
import type { BindAddress, Settings } from './settings.ts';
import { applyStartConfig } from './start-config.ts';

/** Calls in flight get this long to end. */
const GRACE_MS = 30_000;
/** What runs on the control plane gets this long after the last call. */
const CONTROL_GRACE_MS = 2_000;
/** Looks for calls of others in the time of one lease. */
const RECOVERIES = 3;

interface NodeParts {
  readonly options: RunOptions;
  readonly settings: Settings;
  readonly folder: DataFolder;
  readonly log: Log;
  readonly node: OpenedNode;
}

interface StartParts extends NodeParts {
  readonly state: RunState;
  readonly composition: Composition;
}

/** Composes the gateway on its open stores, and serves. */
export async function startOnNode(given: NodeParts): Promise<RunningGateway> {
  const state: RunState = { stopping: false, publicUrl: '', adminUrl: '', listeners: [], gatewayListeners: [] };
  const composition = await compose({ ...given, state });
  const parts: StartParts = { ...given, state, composition };
  const { options, settings, folder, log, node } = parts;
  const { gateway } = composition;
  const servers = await prepare(parts);
  const dataBound = await bindOwn(servers.data, settings.data.bind, { state, variable: 'POSTERN_LISTEN' });
  const adminBound = await bindOwn(servers.control, settings.admin.bind, { state, variable: 'POSTERN_ADMIN_LISTEN' });
  const dataUrl = urlOf(dataBound, settings.data.tls !== undefined);
  const adminUrl = urlOf(adminBound, settings.admin.tls !== undefined);
  state.publicUrl = settings.data.publicUrl ?? dataUrl;
  state.adminUrl = settings.admin.publicUrl ?? adminUrl;
  await gateway.directory.start();
  const demo = options.demo ? await (await import('./demo.ts')).startDemo(composition, folder, node.keys) : undefined;
  await gateway.directory.refresh();
  await composition.ownListeners.start(gateway);
  folder.announce({
    data: dataUrl,
    admin: adminUrl,
    dataListen: listenOf(dataBound),
    adminListen: listenOf(adminBound),
    publicUrl: state.publicUrl,
  });
  const recovery = setInterval(
    () => void gateway.journal.recover().catch((error) => log.error(error, 'recover')),
    node.leaseMs / RECOVERIES,
  );
  recovery.unref();
  composition.word.start();
  composition.sweeps.start();
  gateway.queue.start(gateway);
  const say = options.say ?? ((line: string) => process.stdout.write(`${line}\n`));
  say(`postern ready data=${dataUrl} admin=${adminUrl}`);
  for (const line of introduction(parts, demo, adminUrl)) say(line);
  return {
    dataUrl,
    adminUrl,
    failed: failureOf(parts).then((error) => log.flush().then(() => error)),
    stop: once(() => stop(parts, servers, { demo, recovery })),
  };
}

interface Servers {
  readonly data: Server;
  readonly control: Server;
}

/** What is done before anybody can call: recovery, configuration, and the listeners made. */
async function prepare({ options, settings, log, composition, node }: StartParts): Promise<Servers> {
  const { gateway } = composition;
  await makeDefaultTenant(composition.repositories);
  const recovered = await gateway.journal.recover();
  if (recovered > 0) log.logger.warn({ recovered }, 'calls left open by an earlier run were closed as unknown');
  const data = createListener(gateway, { tls: settings.data.tls });
  const dependencies = writeDependencies(composition, node.keys);
  const unsafeAddressCeiling = await applyStartConfig({
    settings,
    environment: options.environment,
    log,
    dependencies,
  });
  const control = createControlPlane({ settings, log, node, composition, unsafeAddressCeiling });
  trackConnections(control);
  return { data, control };
}

/** Nodes that start at once on an empty database all try. */
async function makeDefaultTenant({ tenants }: Composition['repositories']): Promise<void> {
  if ((await tenants.getByName(DEFAULT_TENANT)) !== undefined) return;
  try {
    await tenants.create(DEFAULT_TENANT);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'conflict') throw error;
  }
}

function failureOf({ composition, node: { presence } }: StartParts): Promise<Error> {
  const { failed } = composition.db;
  return presence === undefined ? failed : Promise.race([failed, presence.lost]);
}

interface Background {
  readonly demo: Demo | undefined;
  readonly recovery: NodeJS.Timeout;
}

async function stop(parts: StartParts, servers: Servers, { demo, recovery }: Background): Promise<void> {
  const { state, composition, folder, log } = parts;
  state.stopping = true;
  clearInterval(recovery);
  // Who watches goes and watches elsewhere.
  composition.events.close();
  // The control plane answers while calls end, so that /readyz can tell.
  await Promise.all([
    stopListener(servers.data, GRACE_MS),
    composition.ownListeners.stop(GRACE_MS),
    composition.gateway.queue.stop(GRACE_MS),
  ]);
  await stopListener(servers.control, CONTROL_GRACE_MS);
  demo?.stop();
  await close(parts);
  folder.release();
  log.logger.info('stopped');
  await log.flush();
}

/** When no calls come any more: what works by itself first, then the ways out, then the store. */
async function close({ composition, log, node }: StartParts): Promise<void> {
  const { gateway, sweeps, outboxWorker, telemetry, word } = composition;
  word.stop();
  gateway.refusals.flush();
  await Promise.all([sweeps.stop(), outboxWorker.stop()]);
  // A token endpoint may be answering with a new secret.
  await gateway.tokens.close();
  await gateway.directory.stop();
  await gateway.transport.destroy();
  await gateway.journal.close().catch((error: unknown) => log.error(error, 'flush the audit log'));
  gateway.secrets.clear();
  await node.close();
  await telemetry?.stop();
}

/** From here on no call is led there, and no integration can have the address. */
async function bindOwn(
  server: Server,
  where: BindAddress,
  { state, variable }: { readonly state: RunState; readonly variable: string },
): Promise<BindAddress> {
  const bound = await bind(server, where, variable);
  state.listeners.push(bound);
  state.gatewayListeners.push(bound);
  return bound;
}

function introduction({ options, settings, folder }: StartParts, demo: Demo | undefined, adminUrl: string): string[] {
  if (!options.demo || demo === undefined) return [];
  const token = settings.adminToken === undefined ? `${folder.path}/admin-token` : 'POSTERN_ADMIN_TOKEN';
  return [
    '',
    'Try a call; the upstream gets a credential that the caller never sees:',
    `  ${demo.curl}`,
    '',
    `Control plane: ${adminUrl}  (API description: ${adminUrl}/docs)`,
    `Admin token:   ${token}`,
  ];
}

function once(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= task();
    return running;
  };
}
