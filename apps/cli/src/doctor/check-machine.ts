import { existsSync, readdirSync, readFileSync, type Stats, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { broken, type Finding, ok, warning } from './finding.ts';
import { keyRingProblem } from './key-ring-problem.ts';

const NODE_MAJOR_NEEDED = 24;

export function checkNode(version: string): Finding {
  const major = Number(version.split('.')[0]);
  if (major >= NODE_MAJOR_NEEDED) return ok('node', `version ${version}`);
  return broken('node-too-old', {
    about: 'node',
    message: `version ${version} is too old`,
    remedy: `Run "npm install", or put Node ${NODE_MAJOR_NEEDED} on the PATH.`,
  });
}

/** Files of the data folder whose reader could act as the gateway. */
const SECRET_FILES = /^(master-key|admin-token|demo-agent-key|demo-upstream-secret|run\.json|postern\.db(-wal|-shm)?)$/;

export interface FolderUse {
  /** The gateway is another machine's, so the folder need not be there. */
  readonly isRemote: boolean;
  /** The gateway is given its master key by a variable. */
  readonly hasOwnMasterKey: boolean;
}

/** Rights, place and keys of the data folder. */
export function checkDataFolder(folder: string, { isRemote, hasOwnMasterKey }: FolderUse): Finding[] {
  const about = `data folder ${folder}`;
  if (!existsSync(folder)) {
    const remedy = 'Start a gateway, or name its folder with POSTERN_DATA_DIR.';
    return isRemote ? [] : [broken('folder-missing', { about, message: 'does not exist', remedy })];
  }
  const names = namesIn(folder);
  if (names === undefined) {
    const remedy = 'Run this as the user the gateway runs as.';
    return [broken('folder-unreadable', { about, message: 'cannot be read', remedy })];
  }
  return [
    ...checkRights(folder, about, names),
    ...checkCheckout(folder, about),
    ...(hasOwnMasterKey ? [] : checkMasterKey(folder, about, names)),
    ...checkDisk(folder),
  ];
}

function namesIn(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder);
  } catch {
    return undefined;
  }
}

function checkRights(folder: string, about: string, names: readonly string[]): Finding[] {
  if (process.platform === 'win32') return [];
  const state = statSync(folder);
  const findings = [...checkMode(about, folder, state), ...checkOwner(about, state.uid)];
  for (const name of names.filter((file) => SECRET_FILES.test(file))) {
    const file = path.join(folder, name);
    const fileState = statSync(file, { throwIfNoEntry: false });
    if (fileState !== undefined) findings.push(...checkMode(`file ${file}`, file, fileState));
  }
  return findings.length === 0 ? [ok(about, 'is for its owner alone')] : findings;
}

function checkMode(about: string, file: string, state: Stats): Finding[] {
  if ((state.mode & 0o077) === 0) return [];
  const mode = (state.mode & 0o777).toString(8).padStart(4, '0');
  return [
    broken('folder-open', {
      about,
      message: `has mode ${mode}: other users can read it`,
      remedy: `chmod go-rwx '${file}'`,
    }),
  ];
}

/** Root may read all; a gateway of that user then has files that it cannot. */
function checkOwner(about: string, uid: number): Finding[] {
  const own = process.getuid?.();
  if (own === undefined || own === uid) return [];
  return [
    warning('folder-foreign', {
      about,
      message: `belongs to user ${uid}, and this runs as user ${own}`,
      remedy: 'Run this and the gateway as one user: files that another makes there stop the gateway.',
    }),
  ];
}

function checkCheckout(folder: string, about: string): Finding[] {
  const checkout = enclosingCheckout(folder);
  if (checkout === undefined) return [];
  return [
    warning('folder-in-checkout', {
      about,
      message: `lies in the checkout ${checkout}: an agent that works there can read the keys`,
      remedy: 'Name a folder elsewhere with POSTERN_DATA_DIR, best of another user.',
    }),
  ];
}

/** The nearest folder above that holds a repository. */
export function enclosingCheckout(folder: string): string | undefined {
  for (let parent = path.dirname(folder); ; parent = path.dirname(parent)) {
    if (existsSync(path.join(parent, '.git'))) return parent;
    if (parent === path.dirname(parent)) return undefined;
  }
}

function checkMasterKey(folder: string, about: string, names: readonly string[]): Finding[] {
  if (!names.includes('master-key')) {
    if (!names.includes('postern.db')) return [];
    return [
      warning('master-key-missing', {
        about,
        message: 'holds a database but no master key: unless the gateway is given one, it opens no secret',
        remedy: 'Put the file master-key back from its copy, or give the gateway POSTERN_MASTER_KEY_FILE.',
      }),
    ];
  }
  const problem = keyRingProblem(readFileSync(path.join(folder, 'master-key'), 'utf8'));
  if (problem === undefined) return [];
  const remedy = 'Put it back from its copy; right is id:base64,… with 32 bytes each.';
  return [
    broken('master-key-unusable', { about: `file ${path.join(folder, 'master-key')}`, message: problem, remedy }),
  ];
}

const MEBIBYTE = 1024 * 1024;
/** Below this the next burst of calls may stop the gateway: it sends nothing that it cannot record. */
const FREE_BROKEN_BYTES = 64 * MEBIBYTE;
const FREE_WARNING_BYTES = 512 * MEBIBYTE;

function checkDisk(folder: string): Finding[] {
  const { bavail, bsize } = statfsSync(folder);
  return [judgeDisk(folder, bavail * bsize)];
}

export function judgeDisk(folder: string, freeBytes: number): Finding {
  const about = `disk of ${folder}`;
  const message = `${Math.floor(freeBytes / MEBIBYTE)} MiB are free`;
  const remedy = 'Free space: when the audit log cannot be written, every call is refused.';
  if (freeBytes >= FREE_WARNING_BYTES) return ok(about, message);
  const mistake = { about, message: `only ${message}`, remedy };
  return freeBytes < FREE_BROKEN_BYTES ? broken('disk-full', mistake) : warning('disk-full', mistake);
}
