import type { Server } from 'node:http';
import { createListener, stopListener, trackConnections } from '@postern/gateway';
import { bind, listenOf, urlOf } from './bind.ts';
import { type Composition, compose, DEFAULT_TENANT, lockFile, type RunState } from './compose.ts';
import { createControlPlane, writeDependencies } from './control-plane.ts';
import { enclosingCheckout, openDataFolder } from './data-folder.ts';
import type { Demo } from './demo.ts';
import { checkVariableNames, type Environment } from './environment.ts';
import { type Log, openLog } from './log.ts';
import { type OpenedNode, openNode } from './nodes/open-node.ts';
import { type BindAddress, readSettings, type Settings } from './settings.ts';
import { applyStartConfig } from './start-config.ts';

export interface RunOptions {
  readonly environment: Environment;
  /** Starts the demo upstream, its agent and integration. */
  readonly demo: boolean;
  /** Where the ready line goes; default: stdout. */
  readonly say?: (line: string) => void;
  /** The machine's clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly wallClock?: () => number;
  /** How long calls of a gateway that gives no sign of life stay its own. Default 15 s. */
  readonly leaseMs?: number;
}

export interface RunningGateway {
  readonly dataUrl: string;
  readonly adminUrl: string;
  /** Stops accepting, lets calls in flight end (30 s), flushes the log, closes. May be called again. */
  stop(): Promise<void>;
  /** Resolves when the gateway cannot go on (its database is gone); the process should end then. */
  readonly failed: Promise<Error>;
}

/** Calls in flight get this long to end. */
const GRACE_MS = 30_000;
/** What runs on the control plane gets this long after the last call. */
const CONTROL_GRACE_MS = 2_000;
const LEASE_MS = 15_000;
/** Looks for calls of others in the time of one lease. */
const RECOVERIES = 3;

/**
 * Starts a gateway: data folder, keys, store, recovery, both listeners, configuration, then the ready line.
 *
 * @throws EnvironmentError, DataFolderError, BindError, ConfigFileError, DbError, VaultError: all with a message for a person.
 */
export async function runGateway(options: RunOptions): Promise<RunningGateway> {
  const settings = readSettings(options.environment);
  const unknownVariables = checkVariableNames(options.environment);
  const folder = openDataFolder(settings.dataFolder, lockFile);
  try {
    const log = await openLog({
      level: settings.logLevel,
      format: settings.logFormat,
      node: folder.node,
      environment: settings.environment,
    });
    warnAtStart(log, settings, unknownVariables);
    const state: RunState = { stopping: false, publicUrl: '', adminUrl: '', listeners: [], gatewayListeners: [] };
    const { wallClock = Date.now, leaseMs = LEASE_MS } = options;
    const node = await openNode({ settings, folder, log, wallClock, leaseMs });
    const composition = await compose({ settings, folder, log, state, node });
    return await start({ options, settings, folder, log, state, node, composition });
  } catch (error) {
    folder.release();
    throw error;
  }
}

interface StartParts {
  readonly options: RunOptions;
  readonly settings: Settings;
  readonly folder: ReturnType<typeof openDataFolder>;
  readonly log: Log;
  readonly state: RunState;
  readonly node: OpenedNode;
  readonly composition: Composition;
}

async function start(parts: StartParts): Promise<RunningGateway> {
  const { options, settings, folder, log, state, composition, node } = parts;
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

/** 128 bits in hexadecimal. */
const ADMIN_TOKEN_LENGTH_MIN = 32;

function warnAtStart(log: Log, settings: Settings, unknownVariables: readonly string[]): void {
  for (const name of unknownVariables) log.logger.warn(`${name} is not a variable of Postern; is it misspelled?`);
  if (settings.adminToken !== undefined && settings.adminToken.length < ADMIN_TOKEN_LENGTH_MIN) {
    log.logger.warn('POSTERN_ADMIN_TOKEN is short enough to be guessed; `openssl rand -base64 32` makes a good one');
  }
  const checkout = enclosingCheckout(settings.dataFolder);
  if (checkout !== undefined) {
    log.logger.warn(
      `the data folder ${settings.dataFolder} lies in the checkout ${checkout}: an agent that works there can read the keys. Name a folder elsewhere with POSTERN_DATA_DIR`,
    );
  }
}

function once(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= task();
    return running;
  };
}
