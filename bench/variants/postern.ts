import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program, Workplace } from '../workplace.ts';
import { type PosternSize, posternConfig } from './postern-config.ts';
import { CALL_PATH, fillCompileCache, type Surroundings, type Variant } from './variant.ts';

/** What the main table measures. */
export const USUAL_SIZE: PosternSize = { agents: 1, rules: 100 };

/** Where the program has been started before, so that every later start finds its modules compiled. */
const filled = new WeakSet<Workplace>();

const READY = /^postern ready data=http:\/\/127\.0\.0\.1:(\d+) admin=/;

/**
 * The whole program as a user starts it: SQLite in a data folder of its own, log as by default (JSON lines of level info, into a file).
 * `name` names its folder.
 */
export async function startPostern(surroundings: Surroundings, size: PosternSize, name: string): Promise<Variant> {
  const { workplace } = surroundings;
  if (!filled.has(workplace)) {
    await fillCompileCache(workplace, posternProgram(surroundings, USUAL_SIZE, `${name}-before`).program);
    filled.add(workplace);
  }
  return await startProgram(surroundings, posternProgram(surroundings, size, name));
}

/** The same program on a database and a Redis that nothing else uses: settings of these replace the data folder's database. */
export async function startPosternOnStores(
  surroundings: Surroundings,
  size: PosternSize,
  { name, environment, serverIds }: PosternStores,
): Promise<Variant> {
  const { program, keys } = posternProgram(surroundings, size, name);
  const onStores = { ...program, environment: { ...program.environment, ...environment } };
  return { ...(await startProgram(surroundings, { program: onStores, keys })), serverIds };
}

export interface PosternStores {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly serverIds: readonly number[];
}

async function startProgram(
  { workplace }: Surroundings,
  { program, keys }: { readonly program: Program; readonly keys: readonly string[] },
): Promise<Variant> {
  const { processId, ready } = await workplace.start(program);
  return { name: 'postern', port: Number(ready[1]), path: `/to/upstream${CALL_PATH}`, tokens: keys, processId };
}

/** The program with its configuration written and its data folder not yet there. */
export function posternProgram(
  { workplace, upstream }: Surroundings,
  size: PosternSize,
  name: string,
): { program: Program; keys: readonly string[] } {
  const folder = join(workplace.folder, name);
  mkdirSync(folder);
  const { text, keys } = posternConfig(upstream, size);
  const file = join(folder, 'postern.yaml');
  writeFileSync(file, text, { mode: 0o600 });
  const program: Program = {
    name,
    command: process.execPath,
    arguments: [new URL('../../apps/gateway/bin/gateway.js', import.meta.url).pathname],
    environment: {
      POSTERN_DATA_DIR: join(folder, 'data'),
      POSTERN_CONFIG: file,
      POSTERN_LISTEN: '127.0.0.1:0',
      POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    },
    ready: READY,
  };
  return { program, keys };
}
