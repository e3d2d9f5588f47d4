import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, cpSync, linkSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { deployFile, instructionsOf, ROOT } from './deployment.ts';

const run = promisify(execFile);

/** What the image holds and how it is run, in a folder of this machine: made by what the Dockerfile says, without Docker. */
export interface ImageTree extends AsyncDisposable {
  /** In place of `/app`. */
  readonly app: string;
  /** In place of `/data`: the one folder that the user of the image may write to. */
  readonly data: string;
  /** Takes everybody's right to write to `app`, but to the folders named. */
  makeReadOnly(): Promise<void>;
  /** Gives the user of the image a folder below `app`, as `install -d -o` does. */
  giveFolder(name: string): Promise<void>;
  /** Runs Node as the user of the image in `app`, with these variables alone. */
  node(args: readonly string[], environment?: Readonly<Record<string, string>>): ChildProcess;
  /** As `node`, to its end. */
  nodeToEnd(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Ended>;
  close(): Promise<void>;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Where the tests do not run as root they stay who they are. */
function userOfImage(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = (
    instructionsOf(deployFile('Dockerfile')).findLast(({ name }) => name === 'USER')?.text ?? ''
  ).split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

export async function makeImageTree(): Promise<ImageTree> {
  const folder = await temporaryFolder();
  const [app, data] = [path.join(folder.path, 'app'), path.join(folder.path, 'data')];
  const user = userOfImage();
  const node = path.join(folder.path, 'node');
  await Promise.all([mkdir(app), mkdir(data, { mode: 0o700 }), bring(process.execPath, node)]);
  await chmod(folder.path, 0o755);
  for (const source of copiedFiles())
    cpSync(path.join(ROOT, source), path.join(app, source), { recursive: true, filter: isCopied });
  await installProduction(app);
  if (user.uid !== undefined && user.gid !== undefined) await chown(data, user.uid, user.gid);

  const start: ImageTree['node'] = (args, environment = {}) =>
    spawn(node, args, {
      cwd: app,
      env: { PATH: '/usr/bin:/bin', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
  return {
    app,
    data,
    node: start,
    makeReadOnly: async () => void (await run('chmod', ['-R', 'a-w', app])),
    giveFolder: async (name) => {
      const full = path.join(app, name);
      await chmod(path.dirname(full), 0o755);
      await mkdir(full, { recursive: true });
      if (user.uid !== undefined && user.gid !== undefined) await chown(full, user.uid, user.gid);
      await chmod(path.dirname(full), 0o555);
    },
    nodeToEnd: (args, environment) => endOf(start(args, environment)),
    close: () => remove(folder, app),
    [Symbol.asyncDispose]: () => remove(folder, app),
  };
}

async function remove(folder: TemporaryFolder, app: string): Promise<void> {
  await run('chmod', ['-R', 'u+w', app]);
  await folder.remove();
}

/** What stands in the `COPY` instructions that take from the checkout. */
export function copiedFiles(): readonly string[] {
  return instructionsOf(deployFile('Dockerfile'))
    .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--'))
    .flatMap(({ text }) => text.split(' ').slice(0, -1));
}

/** As `.dockerignore` has it: no tests, no dependencies, nothing of one machine. */
function isCopied(file: string): boolean {
  return !/(^|\/)(node_modules|\.postern|conformance|\.env.*)$|\.(test|test-support|fixture)\.ts$|packages\/testing\/src$/.test(
    file,
  );
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
}

/** The packages that `npm ci --omit=dev` leaves, told by the lock file, copied from the checkout; the workspace's own are links. */
async function installProduction(app: string): Promise<void> {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  for (const [place, { dev, link, resolved = '' }] of Object.entries(packages)) {
    // What lies in another package comes with it; Node itself is the image's.
    const isOurs = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(place) && dev !== true;
    if (!isOurs || /^node_modules\/node(-bin-setup)?$/.test(place)) continue;
    const target = path.join(app, place);
    await mkdir(path.dirname(target), { recursive: true });
    if (link === true) await symlink(path.relative(path.dirname(target), path.join(app, resolved)), target);
    else cpSync(path.join(ROOT, place), target, { recursive: true, mode: constants.COPYFILE_FICLONE });
  }
}

/** A second name for the file where the file system can, else a copy: somebody else may have no way to the first. */
async function bring(file: string, target: string): Promise<void> {
  try {
    linkSync(file, target);
  } catch {
    await copyFile(file, target, constants.COPYFILE_FICLONE);
  }
}

async function endOf(child: ChildProcess): Promise<Ended> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return { code, output };
}

/** Names of what lies in a folder below the tree, all the way down. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}
