import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface TemporaryFolder extends AsyncDisposable {
  /** Absolute path of the folder, which exists and is empty. */
  readonly path: string;
  /** Removes the folder with all that is in it. May be called twice. */
  remove(): Promise<void>;
}

/** A new empty folder of the system's temporary folder. `await using folder = await temporaryFolder()` removes it at the end. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const folderPath = await mkdtemp(path.join(tmpdir(), 'postern-test-'));
  const remove = () => rm(folderPath, { recursive: true, force: true });
  return { path: folderPath, remove, [Symbol.asyncDispose]: remove };
}
