import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runGateway } from '@postern/app-gateway';
import { temporaryFolder } from '@postern/testing';

export interface RefusedStartOptions {
  readonly config?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * What a start says that must refuse. Runs the whole program's start in this process, for tables too long for a process a line;
 * that the message reaches stderr with exit code 1 is shown once, with a process.
 *
 * @throws Error when it starts.
 */
export async function refusedStart({ config, environment }: RefusedStartOptions): Promise<string> {
  await using folder = await temporaryFolder();
  const configFile = path.join(folder.path, 'postern.yaml');
  if (config !== undefined) await writeFile(configFile, config);
  const base = {
    POSTERN_DATA_DIR: path.join(folder.path, 'data'),
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_CONFIG: config === undefined ? '' : configFile,
    POSTERN_LOG_LEVEL: 'silent',
  };
  const said: string[] = [];
  const starting = runGateway({
    environment: { ...base, ...environment },
    demo: false,
    say: (line) => said.push(line),
  });
  const outcome = await starting.catch((error: Error) => error);
  if (!(outcome instanceof Error)) {
    await outcome.stop();
    throw new Error('the gateway started, and should have refused');
  }
  if (said.length > 0) throw new Error(`the gateway said that it was ready before it refused: ${said.join(' ')}`);
  return outcome.message;
}
