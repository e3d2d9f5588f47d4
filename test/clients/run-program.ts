import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ProgramEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Laid over an environment without proxies and without the settings of whoever runs the tests. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Called whenever more of its output has come, with all of it. */
  readonly onOutput?: (stdout: string) => void;
}

const PROGRAM_MS_MAX = 30_000;

/** Runs a program of the machine to its end; gives what it said, however it ended. */
export async function runProgram(
  program: string,
  parameters: readonly string[],
  { environment = {}, folder, onOutput }: ProgramOptions = {},
): Promise<ProgramEnd> {
  const { PATH = '', TMPDIR = '/tmp', TEST_RUN_ID } = process.env;
  const child = spawn(program, parameters, {
    cwd: folder,
    env: { PATH, TMPDIR, ...(TEST_RUN_ID === undefined ? {} : { TEST_RUN_ID }), LC_ALL: 'C.UTF-8', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PROGRAM_MS_MAX,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    onOutput?.(stdout);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
