import { enclosingCheckout, openDataFolder } from './data-folder.ts';
import { checkVariableNames, type Environment } from './environment.ts';
import { type Log, openLog } from './log.ts';
import { openNode } from './nodes/open-node.ts';
import { lockFile } from './open-stores.ts';
import { readSettings, type Settings } from './settings.ts';

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

const LEASE_MS = 15_000;

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
    const { wallClock = Date.now, leaseMs = LEASE_MS } = options;
    // The database's thread starts while the rest is loaded.
    const [node, { startOnNode }] = await Promise.all([
      openNode({ settings, folder, log, wallClock, leaseMs }),
      import('./start-on-node.ts'),
    ]);
    return await startOnNode({ options, settings, folder, log, node });
  } catch (error) {
    folder.release();
    throw error;
  }
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
