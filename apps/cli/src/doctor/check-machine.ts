import { existsSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { broken, type Finding, ok, warning } from './finding.ts';

const NODE_MAJOR_NEEDED = 24;

export function checkNode(version: string): Finding {
  const major = Number(version.split('.')[0]);
  if (major >= NODE_MAJOR_NEEDED) return ok('node', `version ${version}`);
  return broken(
    'node',
    `version ${version} is too old`,
    `Run "npm install", or put Node ${NODE_MAJOR_NEEDED} on the PATH.`,
  );
}

/** Files of the data folder whose reader could act as the gateway. */
const SECRET_FILES = /^(master-key|admin-token|demo-agent-key|demo-upstream-secret|run\.json|postern\.db(-wal|-shm)?)$/;

/** Rights and place of the data folder. `isRemote`: the gateway is another machine's, so the folder need not be there. */
export function checkDataFolder(folder: string, isRemote: boolean): Finding[] {
  const about = `data folder ${folder}`;
  if (!existsSync(folder)) {
    return isRemote
      ? []
      : [broken(about, 'does not exist', 'Start a gateway, or name its folder with POSTERN_DATA_DIR.')];
  }
  return [...checkRights(folder, about), ...checkCheckout(folder, about), ...checkDisk(folder)];
}

function checkRights(folder: string, about: string): Finding[] {
  if (process.platform === 'win32') return [];
  const state = statSync(folder);
  const findings = [...checkMode(about, folder, state)];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [broken(about, 'cannot be read', 'Run this as the user the gateway runs as.')];
  }
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
  return [broken(about, `has mode ${mode}: other users can read it`, `chmod go-rwx '${file}'`)];
}

function checkCheckout(folder: string, about: string): Finding[] {
  const checkout = enclosingCheckout(folder);
  if (checkout === undefined) return [];
  const remedy = 'Name a folder elsewhere with POSTERN_DATA_DIR, best of another user.';
  return [warning(about, `lies in the checkout ${checkout}: an agent that works there can read the keys`, remedy)];
}

/** The nearest folder above that holds a repository. */
export function enclosingCheckout(folder: string): string | undefined {
  for (let parent = path.dirname(folder); ; parent = path.dirname(parent)) {
    if (existsSync(path.join(parent, '.git'))) return parent;
    if (parent === path.dirname(parent)) return undefined;
  }
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
  if (freeBytes < FREE_BROKEN_BYTES) return broken(about, `only ${message}`, remedy);
  return freeBytes < FREE_WARNING_BYTES ? warning(about, `only ${message}`, remedy) : ok(about, message);
}
