import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder that holds everything a gateway must not lose and agents must not read. */
export interface DataFolder {
  readonly path: string;
  readonly spoolFolder: string;
  /** Stable name of this node. */
  readonly node: string;
  /** The file's text; made by `make` (mode 0600) when it is not there. */
  keep(name: string, make: () => string): string;
  /** The file's text; undefined when it is not there. */
  find(name: string): string | undefined;
  /** Writes the file anew, all or nothing. */
  replace(name: string, text: string): void;
  remove(name: string): void;
  /** Tells the command line where the gateway listens; removed at stop. */
  announce(addresses: Announcement): void;
  /** Gives up the lock. */
  release(): void;
}

/** URLs where the listeners are reached from this machine, the addresses that they are bound to, and the base of links. */
export interface Announcement {
  readonly data: string;
  readonly admin: string;
  readonly dataListen?: string;
  readonly adminListen?: string;
  readonly publicUrl?: string;
}

export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}

/** Name of the file that tells where the running gateway listens. */
export const RUN_FILE = 'run.json';

/** Locks a file until it is closed or the process dies, however it dies; undefined when another holds it. */
export type LockFile = (path: string) => { close(): void } | undefined;

/**
 * Makes the folder (mode 0700, with a `.gitignore`) and locks it: one process per folder, and the lock dies with the process
 * however it dies.
 *
 * @throws DataFolderError when it cannot be made, written or locked.
 */
export function openDataFolder(path: string, lockFile: LockFile): DataFolder {
  const spoolFolder = join(path, 'spool');
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    writeIfAbsent(join(path, '.gitignore'), '*\n');
  } catch (error) {
    throw unwritable(path, error);
  }
  const lock = lockFile(join(path, 'lock.db'));
  if (lock === undefined) {
    throw new DataFolderError(
      `Another gateway runs on the data folder ${path}. Stop it, or name another folder with POSTERN_DATA_DIR.`,
    );
  }
  const keep = (name: string, make: () => string) => keepFile(join(path, name), make);
  let node: string;
  try {
    // Only now: until the lock was had the spool may have been another's.
    rmSync(spoolFolder, { recursive: true, force: true });
    mkdirSync(spoolFolder, { mode: 0o700 });
    node = keep('node-id', () => `node-${randomUUID().slice(0, 8)}`);
  } catch (error) {
    lock.close();
    throw error instanceof DataFolderError ? error : unwritable(path, error);
  }
  const runFile = join(path, RUN_FILE);
  return {
    path,
    spoolFolder,
    node,
    keep,
    find: (name) => (existsSync(join(path, name)) ? keep(name, () => '') : undefined),
    replace: (name, text) => writeWhole(join(path, name), text),
    remove: (name) => rmSync(join(path, name), { force: true }),
    announce: (addresses) =>
      writeFileSync(runFile, `${JSON.stringify({ ...addresses, pid: process.pid })}\n`, { mode: 0o600 }),
    release: () => {
      rmSync(runFile, { force: true });
      lock.close();
    },
  };
}

function unwritable(path: string, cause: unknown): DataFolderError {
  return new DataFolderError(
    `The data folder ${path} cannot be written (${codeOf(cause)}). Free space, mend its rights, or name another with POSTERN_DATA_DIR.`,
    { cause },
  );
}

function writeIfAbsent(path: string, text: string): void {
  if (!existsSync(path)) writeFileSync(path, text, { mode: 0o600 });
}

function keepFile(path: string, make: () => string): string {
  if (existsSync(path)) {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    const text = readFileSync(path, 'utf8').trim();
    if (text === '')
      throw new DataFolderError(
        `${path} is empty. Restore it from a backup; without it nothing sealed under it can be opened.`,
      );
    return text;
  }
  const text = make();
  writeWhole(path, text);
  return text;
}

function writeWhole(path: string, text: string): void {
  const unfinished = `${path}.new`;
  try {
    writeFileSync(unfinished, `${text}\n`, { mode: 0o600, flush: true });
    renameSync(unfinished, path);
  } catch (error) {
    throw new DataFolderError(`${path} cannot be written (${codeOf(error)}).`, { cause: error });
  }
}

/** The checkout that the folder lies in, if any: agents that work on it could read the keys. */
export function enclosingCheckout(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason';
}
