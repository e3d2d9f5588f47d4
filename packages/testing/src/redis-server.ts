import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { temporaryFolder } from './temporary-folder.ts';

export interface RedisServerOptions {
  /** Clients have to give it; it stands in `url`. */
  readonly password?: string;
  /** Serves TLS alone, with this key and certificate: paths of PEM files. */
  readonly tls?: { readonly keyFile: string; readonly certFile: string; readonly caFile: string };
}

export interface RedisServer extends AsyncDisposable {
  /** `redis://127.0.0.1:PORT`; another one after a restart on another port. */
  readonly url: string;
  readonly port: number;
  /** Kills the server, frozen or not, and removes its folder. May be called twice. */
  close(): Promise<void>;
  /** Kills it as a crash would: nothing is said to its clients, all data is lost. `restart` starts it again. */
  stopHard(): Promise<void>;
  /** The server stands still: connections stay, and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Kills it when it runs, and starts an empty one: on the same port, on the port given, or on any other. */
  restart(options?: { readonly port?: number | 'other' }): Promise<void>;
  /** Removes all keys and all loaded scripts. */
  flush(): Promise<void>;
}

/** Below the ports that systems give to outgoing connections, so that one which was left is free again at a restart. */
const PORTS = { from: 15_000, below: 32_000 } as const;
const ATTEMPTS_MAX = 20;

/**
 * A real Redis: the program `redis-server` of this machine, on 127.0.0.1, without persistence. Rejects when there is no such program
 * and when no port is found.
 */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await temporaryFolder();
  let running: ChildProcess | undefined;
  let port = 0;

  async function start(wanted: number | undefined): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const candidate = wanted ?? randomInt(PORTS.from, PORTS.below);
      const child = await spawnServer(candidate, folder.path, options);
      if (child === undefined) continue; // The port is taken, or is not free again yet.
      [running, port] = [child, candidate];
      return;
    }
    throw new Error(`redis-server found no port to listen on (last tried: ${wanted ?? 'any'})`);
  }

  async function stopHard(): Promise<void> {
    const child = running;
    running = undefined;
    if (child !== undefined) await kill(child);
  }

  async function close(): Promise<void> {
    await stopHard();
    await folder.remove();
  }

  try {
    await start(undefined);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return {
    get url() {
      const credentials = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
      return `${options.tls === undefined ? 'redis' : 'rediss'}://${credentials}127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    close,
    stopHard,
    freeze: () => void running?.kill('SIGSTOP'),
    thaw: () => void running?.kill('SIGCONT'),
    async restart({ port: wanted = port } = {}) {
      await stopHard();
      await start(wanted === 'other' ? undefined : wanted);
    },
    flush: () => flushAll(port, options),
    [Symbol.asyncDispose]: close,
  };
}

/** Undefined when the port is taken. */
async function spawnServer(
  port: number,
  folder: string,
  { password, tls }: RedisServerOptions,
): Promise<ChildProcess | undefined> {
  const settings: (readonly [string, string])[] = [
    ...([['bind', '127.0.0.1'] as const, ['save', ''] as const, ['appendonly', 'no'] as const] as const),
    ...([['dir', folder] as const, ['daemonize', 'no'] as const] as const),
    ...(password === undefined ? [] : [['requirepass', password] as const]),
    ...(tls === undefined
      ? [['port', String(port)] as const]
      : ([
          ...([['port', '0'] as const, ['tls-port', String(port)] as const] as const),
          ...([['tls-key-file', tls.keyFile] as const, ['tls-cert-file', tls.certFile] as const] as const),
          ...([['tls-ca-cert-file', tls.caFile] as const, ['tls-auth-clients', 'no'] as const] as const),
        ] as const)),
  ];
  const parameters = settings.flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn('redis-server', parameters, { stdio: ['ignore', 'pipe', 'ignore'] });
  const said = await untilItSays(child, 'Ready to accept connections');
  if (said === undefined) {
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    return child;
  }
  if (said.includes('Address already in use') || said.includes('Failed listening')) return undefined;
  throw new Error(`redis-server did not start: ${said.trim().split('\n').at(-1) ?? ''}`);
}

/** Undefined once it has said so; all it has said when it ended before. */
function untilItSays(child: ChildProcess, text: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
      if (!said.includes(text)) return;
      child.stdout?.removeAllListeners('data').resume();
      resolve(undefined);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT'
          ? new Error('redis-server is not installed; on Debian and Ubuntu: sudo apt-get install redis-server')
          : error,
      );
    });
    child.once('close', () => resolve(said));
  });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function flushAll(port: number, { password, tls }: RedisServerOptions): Promise<void> {
  if (tls !== undefined) throw new Error('flush is for servers without TLS');
  const commands = [
    ...(password === undefined ? [] : [['AUTH', password]]),
    ['FLUSHALL', 'SYNC'],
    ['SCRIPT', 'FLUSH', 'SYNC'],
    ['QUIT'],
  ];
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write(commands.map(encodeCommand).join(''));
  let answers = '';
  for await (const piece of socket) answers += piece;
  const count = answers.split('+OK\r\n').length - 1;
  if (count !== commands.length) throw new Error(`redis-server refused to flush: ${answers.trim()}`);
}

/** An array of bulk strings of the Redis serialization protocol. */
function encodeCommand(parts: readonly string[]): string {
  return [`*${parts.length}`, ...parts.flatMap((part) => [`$${Buffer.byteLength(part)}`, part]), ''].join('\r\n');
}
