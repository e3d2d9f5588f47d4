import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { run } from '@postern/cli';

const ROOT = path.resolve(import.meta.dirname, '../..');

export interface CommandRun {
  readonly code: number | null;
  readonly out: string;
  readonly notes: string;
}

export interface CommandPlace {
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** `postern …` in this process, with these variables alone and from this folder. */
export async function command(args: readonly string[], place: CommandPlace): Promise<CommandRun> {
  const { folder, environment = {}, now = Date.now } = place;
  let [out, notes] = ['', ''];
  const code = await run(args, {
    workingFolder: folder,
    environment,
    input: undefined,
    askHidden: undefined,
    columns: undefined,
    write: (text) => {
      out += text;
    },
    note: (text) => {
      notes += text;
    },
    now,
  });
  return { code, out, notes };
}

/** The same as a process of its own, to be killed or waited for. */
export function startCommand(program: readonly string[], { folder, environment = {} }: CommandPlace): ChildProcess {
  const [file = '', ...args] = program;
  return spawn(process.execPath, [path.join(ROOT, file), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function endOfCommand(child: ChildProcess): Promise<CommandRun> {
  let [out, notes] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    notes += text;
  });
  const [code] = await once(child, 'close');
  return { code, out, notes };
}
