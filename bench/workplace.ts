import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

/** A temporary folder and the processes that work in it. Both are gone after `clear`, however the run ends. */
export interface Workplace {
  readonly folder: string;
  /** Starts a program and waits for its ready line. */
  start(program: Program): Promise<StartedProgram>;
  /** Has a server closed with the workplace. */
  adopt(server: { close(): Promise<void> }): void;
  /** Asks every process to end, waits a little, then does what `clear` does. */
  close(): Promise<void>;
  /** Kills every process, removes the folder. Does not wait; may be called again. */
  clear(): void;
}

export interface Program {
  /** Names its file of standard error. */
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  /** The whole environment but the few variables that every program gets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What one line on standard output looks like when the program is ready; absent: it is taken as ready at once. */
  readonly ready?: RegExp;
  readonly hasMessages?: boolean;
}

export interface StartedProgram {
  readonly processId: number;
  readonly child: ChildProcess;
  /** The ready line, matched. */
  readonly ready: RegExpMatchArray;
  /** Asks it to end and waits; kills it after 5 s. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const END_WITHIN_MS = 5_000;
const ERROR_LINES = 5;

/** `onLost` hears of a program that ended although nobody asked it to, with what it said last. */
export function openWorkplace(onLost: (message: string) => void): Workplace {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const children = new Set<ChildProcess>();
  const servers: { close(): Promise<void> }[] = [];

  async function start(program: Program): Promise<StartedProgram> {
    const errors = join(folder, `${program.name}.stderr.log`);
    const child = spawnIn(folder, program, errors);
    children.add(child);
    child.once('exit', () => children.delete(child));
    const ready = await readyLine(child, program, errors);
    const tellLoss = () => onLost(`${program.name} ended unexpectedly${tailOf(errors)}`);
    child.once('exit', tellLoss);
    const stop = () => {
      child.off('exit', tellLoss);
      return stopChild(child);
    };
    return { processId: child.pid ?? 0, child, ready, stop };
  }

  function clear(): void {
    for (const child of children) {
      child.removeAllListeners('exit');
      killGroup(child, 'SIGKILL');
    }
    children.clear();
    // A process that was writing a moment ago may still add a file.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async function close(): Promise<void> {
    for (const child of children) child.removeAllListeners('exit');
    await Promise.all([...children].map(stopChild));
    await Promise.all(servers.map((server) => server.close()));
    clear();
  }

  const adopt = (server: { close(): Promise<void> }) => void servers.push(server);
  return { folder, start, adopt, close, clear };
}

/** Every program gets the same few variables: none of the caller's settings or Node options reach one of them and not another. */
function spawnIn(folder: string, program: Program, errors: string): ChildProcess {
  const stderr = openSync(errors, 'a');
  try {
    return spawn(program.command, program.arguments, {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
        ...program.environment,
      },
      stdio: ['ignore', 'pipe', stderr, ...(program.hasMessages ? (['ipc'] as const) : [])],
      // A process group of its own, so that its children end with it.
      detached: true,
    });
  } finally {
    closeSync(stderr);
  }
}

async function readyLine(child: ChildProcess, program: Program, errors: string): Promise<RegExpMatchArray> {
  const { command, ready } = program;
  const { promise, resolve, reject } = Promise.withResolvers<RegExpMatchArray>();
  const onError = (error: Error) => reject(new Error(`(${basename(command)}) did not start: ${error.message}`));
  const onExit = (code: number | null, signal: string | null) =>
    reject(new Error(`ended with ${signal ?? `code ${code}`} before it was ready`));
  const timer = setTimeout(() => reject(new Error(`was not ready within ${READY_WITHIN_MS} ms`)), READY_WITHIN_MS);
  child.once('error', onError);
  child.once('exit', onExit);
  // Read to the end of its life, so that it never waits for a reader.
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = ready === undefined ? null : ready.exec(line);
      if (match !== null) resolve(match);
    });
  }
  if (ready === undefined) child.once('spawn', () => resolve(['']));
  try {
    return await promise;
  } catch (error) {
    throw new Error(`${program.name} ${(error as Error).message}${tailOf(errors)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    child.off('exit', onExit);
  }
}

/** What a program that failed said last. */
function tailOf(errors: string): string {
  const lines = readFileSync(errors, 'utf8').trimEnd().split('\n').slice(-ERROR_LINES);
  return lines.join('') === '' ? '' : `:\n  ${lines.join('\n  ')}`;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  killGroup(child, 'SIGTERM');
  const timer = setTimeout(() => killGroup(child, 'SIGKILL'), END_WITHIN_MS);
  await ended;
  clearTimeout(timer);
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended already.
  }
}
