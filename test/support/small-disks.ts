import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface SmallDisk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Takes the last free byte. */
  fill(): Promise<void>;
  /** Gives back what `fill` took. */
  drain(): Promise<void>;
  /** From now on every write fails, also on files that are open. */
  makeReadOnly(): Promise<void>;
}

/**
 * A file system of its own for a data folder, so that it can be filled or broken. Needs the right to mount; without it the test
 * fails, for a disk that cannot be broken proves nothing.
 */
export async function mountSmallDisk(kind: 'tmpfs' | 'ext4'): Promise<SmallDisk> {
  const parent = await mkdtemp(path.join(tmpdir(), 'postern-disk-'));
  const mountPoint = path.join(parent, 'disk');
  await mkdir(mountPoint);
  try {
    if (kind === 'tmpfs') run('mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mountPoint);
    else await mountLoop(path.join(parent, 'image'), mountPoint);
  } catch (cause) {
    await rm(parent, { recursive: true });
    throw new Error(`this test must mount a ${kind}: run it as root, with loop devices`, { cause });
  }
  const filler = path.join(mountPoint, 'filler');
  return {
    path: mountPoint,
    fill: () => fillUp(filler),
    drain: () => rm(filler),
    makeReadOnly: async () => {
      if (kind === 'tmpfs') {
        run('mount', '-o', 'remount,ro', mountPoint);
        return;
      }
      // What the kernel does by itself when a disk fails, with files open or not.
      const device = path.basename(run('findmnt', '-no', 'SOURCE', mountPoint).trim());
      await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
    },
    [Symbol.asyncDispose]: async () => {
      run('umount', mountPoint);
      await rm(parent, { recursive: true });
    },
  };
}

async function mountLoop(image: string, mountPoint: string): Promise<void> {
  await writeFile(image, '');
  await truncate(image, 16 * 1_048_576);
  run('mkfs.ext4', '-q', '-O', '^has_journal', image);
  run('mount', '-o', 'loop,errors=remount-ro', image, mountPoint);
}

async function fillUp(file: string): Promise<void> {
  for (let bytes = 1_048_576; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    for (;;) {
      try {
        await writeFile(file, Buffer.alloc(bytes), { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        break;
      }
    }
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
