import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../apps/gateway/src/main.ts', import.meta.url));

export interface StartedGateway {
  /** Base URL of the data plane. */
  readonly dataUrl: string;
  stop(): Promise<void>;
}

/** Starts the real program with a file and variables of an example, in a folder that goes with it. @throws Error with what it said */
export async function startGateway(
  config: string,
  variables: Readonly<Record<string, string>>,
): Promise<StartedGateway> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-example-'));
  const file = path.join(folder, 'postern.yaml');
  await writeFile(file, config);
  const child = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      POSTERN_CONFIG: file,
      POSTERN_DATA_DIR: path.join(folder, 'data'),
      POSTERN_LISTEN: '127.0.0.1:0',
      POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
      ...variables,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'close');
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  let output = '';
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const read = (text: string) => {
    output += text;
    const ready = /^postern ready data=(\S+)/m.exec(output)?.[1];
    if (ready !== undefined) resolve(ready);
  };
  child.stdout.setEncoding('utf8').on('data', read);
  child.stderr.setEncoding('utf8').on('data', read);
  void exited.then(() => resolve(undefined));
  const dataUrl = await promise;
  if (dataUrl !== undefined) return { dataUrl, stop };
  await stop();
  throw new Error(`the gateway did not start:\n${output}`);
}
