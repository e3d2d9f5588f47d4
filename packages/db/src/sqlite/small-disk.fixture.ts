import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';

export interface SmallDisk {
  readonly path: string;
  /** Takes all space that is left. */
  fill(): void;
  empty(): void;
  /** Mounted anew; nothing on it may be open. */
  remount(options: string): void;
  remove(): Promise<void>;
}

const FILLER_STEP_BYTES = 65_536;

/** A disk of its own (tmpfs), so that a full one is a full one. Mounting needs root; without it the tests fail, saying so. */
export async function mountSmallDisk(sizeBytes: number): Promise<SmallDisk> {
  const folder = await temporaryFolder();
  try {
    mount('-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder.path);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const filler = path.join(folder.path, 'filler');
  return {
    path: folder.path,
    fill: () => fill(filler),
    empty: () => rmSync(filler, { force: true }),
    remount: (options) => mount('-o', `remount,${options}`, folder.path),
    remove: async () => {
      execFileSync('umount', [folder.path]);
      await folder.remove();
    },
  };
}

function mount(...parameters: string[]): void {
  try {
    execFileSync('mount', parameters, { stdio: 'pipe' });
  } catch (error) {
    throw new Error('this test mounts a small tmpfs to have a full disk, which needs root', { cause: error });
  }
}

/** In large steps, then in single pages. */
function fill(file: string): void {
  if (!existsSync(file)) writeFileSync(file, '');
  for (const step of [FILLER_STEP_BYTES, 4_096, 1]) {
    const bytes = Buffer.alloc(step);
    try {
      for (;;) writeFileSync(file, bytes, { flag: 'a' });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
  }
}
