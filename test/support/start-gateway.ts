import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';

const MAIN = fileURLToPath(new URL('../../apps/gateway/bin/gateway.js', import.meta.url));
/** Far above the promised start of 1.5 s: the machine may be busy. */
const READY_MS_MAX = 30_000;
const EXIT_MS_MAX = 20_000;

export interface GatewayOptions {
  /** `postern.yaml`, as an object or as text; absent: the gateway starts without a file. */
  readonly config?: object | string;
  /** Laid over the variables that every start gets; undefined removes one. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** With the demo upstream, agent and integration. */
  readonly demo?: boolean;
  /** A folder that outlives the gateway; default: a new one that goes with it. */
  readonly dataFolder?: string;
  /** A program that starts a gateway, in place of the gateway's own. */
  readonly main?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningGateway extends AsyncDisposable {
  readonly dataUrl: string;
  readonly adminUrl: string;
  readonly dataFolder: string;
  readonly process: ChildProcess;
  /** The bootstrap owner's. */
  readonly adminToken: string;
  /** All that was written so far. */
  stdout(): string;
  stderr(): string;
  readonly exited: Promise<Exit>;
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** Kills what still runs and removes what was made. May be called twice. */
  close(): Promise<void>;
}

/** What a start that did not come to its ready line left behind. */
export interface FailedStart extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the real program and waits for its ready line. @throws Error with all output when it ends before that. */
export async function startGateway(options: GatewayOptions = {}): Promise<RunningGateway> {
  const launched = await launch(options);
  try {
    const ready = await waitForReadyLine(launched);
    return running(launched, ready, options.environment?.['POSTERN_ADMIN_TOKEN']);
  } catch (error) {
    await launched.close();
    throw error;
  }
}

/** Starts the program, expecting it to refuse, and gives what it said. @throws Error when it becomes ready. */
export async function startRefused(options: GatewayOptions): Promise<FailedStart> {
  const launched = await launch(options);
  try {
    const ready = waitForReadyLine(launched).then(
      () => true,
      () => false,
    );
    if (await ready) throw new Error(`the gateway started, and should have refused:\n${launched.stderr()}`);
    const exit = await launched.exited;
    return { ...exit, stdout: launched.stdout(), stderr: launched.stderr() };
  } finally {
    await launched.close();
  }
}

interface Launched {
  readonly child: ChildProcess;
  readonly dataFolder: string;
  readonly exited: Promise<Exit>;
  stdout(): string;
  stderr(): string;
  close(): Promise<void>;
}

async function launch(options: GatewayOptions): Promise<Launched> {
  const folder = await temporaryFolder();
  const dataFolder = options.dataFolder ?? path.join(folder.path, 'data');
  const environment = await environmentOf(options, folder, dataFolder);
  const child = spawn(process.execPath, [options.main ?? MAIN, ...(options.demo ? ['--demo'] : [])], {
    cwd: folder.path,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  // `close` and not `exit`: by then all output has come.
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit);
  return {
    child,
    dataFolder,
    exited,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    close: async () => {
      child.kill('SIGKILL');
      await exited;
      await folder.remove();
    },
  };
}

async function environmentOf(
  { config, environment }: GatewayOptions,
  folder: TemporaryFolder,
  dataFolder: string,
): Promise<NodeJS.ProcessEnv> {
  let configFile = '';
  if (config !== undefined) {
    configFile = path.join(folder.path, 'postern.yaml');
    await writeFile(configFile, typeof config === 'string' ? config : JSON.stringify(config, undefined, 2));
  }
  // The caller's own POSTERN_ variables must not decide a test.
  const outer = Object.entries(process.env).filter(([name]) => !/^(?:POSTERN_|OTEL_|NODE_OPTIONS$|VITEST)/.test(name));
  return {
    ...Object.fromEntries(outer),
    POSTERN_DATA_DIR: dataFolder,
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_CONFIG: configFile,
    ...environment,
  };
}

interface Ready {
  readonly dataUrl: string;
  readonly adminUrl: string;
}

async function waitForReadyLine({ child, exited, stdout, stderr }: Launched): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>();
  const look = () => {
    const match = /^postern ready data=(\S+) admin=(\S+)\n/m.exec(stdout());
    if (match !== null) resolve({ dataUrl: match[1] as string, adminUrl: match[2] as string });
  };
  child.stdout?.on('data', look);
  void exited.then(({ code, signal }) =>
    reject(new Error(`the gateway ended with ${signal ?? code} before it was ready:\n${stdout()}${stderr()}`)),
  );
  const timer = setTimeout(
    () => reject(new Error(`no ready line in ${READY_MS_MAX} ms:\n${stdout()}${stderr()}`)),
    READY_MS_MAX,
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.stdout?.off('data', look);
  }
}

function running(
  { child, dataFolder, exited, stdout, stderr, close }: Launched,
  ready: Ready,
  adminToken: string | undefined,
): RunningGateway {
  return {
    ...ready,
    dataFolder,
    process: child,
    exited,
    stdout,
    stderr,
    get adminToken() {
      return adminToken ?? readFileSync(path.join(dataFolder, 'admin-token'), 'utf8').trim();
    },
    kill: async (signal) => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MS_MAX);
      return exited.finally(() => clearTimeout(timer));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
