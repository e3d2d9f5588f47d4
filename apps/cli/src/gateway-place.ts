import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CliContext } from './context.ts';
import { Failure } from './exit.ts';

/** Where a gateway's control plane answers, and the token for it. */
export interface AdminPlace {
  readonly url: string;
  readonly token: string;
  /** For messages: where both were found. */
  readonly foundBy: 'POSTERN_ADMIN_URL' | 'data folder';
}

/** What a running gateway writes into its data folder. */
export interface RunFile {
  readonly data: string;
  readonly admin: string;
  readonly pid: number;
  /** Address and port that are bound: of a wildcard, `data` and `admin` tell only where it is reached from here. */
  readonly dataListen?: string;
  readonly adminListen?: string;
  readonly publicUrl?: string;
}

export function dataFolderOf({ environment, workingFolder }: CliContext): string {
  return path.resolve(workingFolder, environment['POSTERN_DATA_DIR'] || '.postern');
}

/**
 * By `POSTERN_ADMIN_URL` and `POSTERN_ADMIN_TOKEN`, else by the data folder. A token of the data folder is never sent to an address
 * that the environment names.
 *
 * @throws Failure that says what to do.
 */
export function findAdminPlace(context: CliContext): AdminPlace {
  const url = context.environment['POSTERN_ADMIN_URL'];
  const token = context.environment['POSTERN_ADMIN_TOKEN'];
  if (url) {
    if (!token) throw new Failure('POSTERN_ADMIN_URL is set, but POSTERN_ADMIN_TOKEN is not. Set both, or neither.');
    return { url: baseUrlOf(url, 'POSTERN_ADMIN_URL'), token, foundBy: 'POSTERN_ADMIN_URL' };
  }
  const folder = dataFolderOf(context);
  const run = readRunFile(folder);
  if (run === undefined || !isAlive(run.pid)) throw notRunning(folder);
  return { url: run.admin, token: token || readAdminToken(folder), foundBy: 'data folder' };
}

/** Where the data plane answers: `POSTERN_PUBLIC_URL`, else by the data folder. */
export function findDataUrl(context: CliContext): string {
  const url = context.environment['POSTERN_PUBLIC_URL'];
  if (url) return baseUrlOf(url, 'POSTERN_PUBLIC_URL');
  const folder = dataFolderOf(context);
  const run = readRunFile(folder);
  if (run === undefined || !isAlive(run.pid)) throw notRunning(folder, 'POSTERN_PUBLIC_URL');
  return run.data;
}

/** `undefined` when no gateway has announced itself there. */
export function readRunFile(folder: string): RunFile | undefined {
  let text: string;
  try {
    text = readFileSync(path.join(folder, 'run.json'), 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new Failure(`${path.join(folder, 'run.json')} cannot be read (${codeOf(cause)}).`, [], { cause });
  }
  try {
    const run = JSON.parse(text) as Partial<RunFile>;
    if (isRunFile(run)) return run;
  } catch {
    // Falls through to the refusal: half a file says as little as a wrong one.
  }
  throw new Failure(`${path.join(folder, 'run.json')} is not what a gateway writes; start the gateway again.`);
}

function isRunFile(run: Partial<RunFile>): run is RunFile {
  return typeof run.data === 'string' && typeof run.admin === 'string' && typeof run.pid === 'number';
}

/** A gateway that was killed leaves its address behind; whoever listens there now must not be sent a token. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // EPERM: there is such a process, of another user.
    return codeOf(cause) === 'EPERM';
  }
}

export function readAdminToken(folder: string): string {
  const file = path.join(folder, 'admin-token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const remedy = isMissing(cause)
      ? 'The gateway was given its token by POSTERN_ADMIN_TOKEN; set the same here.'
      : 'Run this as the user the gateway runs as, or set POSTERN_ADMIN_TOKEN.';
    throw new Failure(`The admin token ${file} cannot be read (${codeOf(cause)}). ${remedy}`, [], { cause });
  }
}

function notRunning(folder: string, variable = 'POSTERN_ADMIN_URL and POSTERN_ADMIN_TOKEN'): Failure {
  return new Failure(`No gateway runs on the data folder ${folder}.`, [
    'Start one with "postern start", name its folder with POSTERN_DATA_DIR,',
    `or set ${variable} for one on another machine.`,
  ]);
}

function baseUrlOf(text: string, variable: string): string {
  const url = URL.parse(text);
  const isBase =
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === '';
  if (!isBase) throw new Failure(`${variable} is not a base URL such as https://postern.example.com:8081.`);
  return text.replace(/\/+$/, '');
}

function isMissing(cause: unknown): boolean {
  return codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR';
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
}
