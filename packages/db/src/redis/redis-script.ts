import { createHash } from 'node:crypto';
import type { RedisScript } from './redis-connection.ts';

/** Makes a script that `run` takes. */
export function redisScript(lua: string): RedisScript {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
