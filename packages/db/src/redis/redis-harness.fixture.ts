import { randomBytes } from 'node:crypto';
import type { VolatileHarness } from '../conformance/volatile/harness.ts';
import { connectRedis } from './connect-redis.ts';
import { createRedisStores } from './create-redis-stores.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Two nodes on one Redis, each test under a prefix of its own. `close()` removes what they left, and ends the connections. */
export async function openRedisHarness(url: string) {
  const [one, other] = await Promise.all([connectRedis({ url }), connectRedis({ url })]);
  const prefixes: string[] = [];

  async function make(): Promise<VolatileHarness> {
    const prefix = newPrefix();
    prefixes.push(prefix);
    let passedMs = 0;
    const now = () => Date.now() + passedMs;
    const pass = async (ms: number) => {
      passedMs += ms;
      for (const key of await keysUnder(one, prefix)) await age(one, key, ms);
    };
    const options = { prefix, now, onListenerError: () => undefined };
    return { stores: createRedisStores(one, options), otherNode: createRedisStores(other, options), now, pass };
  }

  async function close(): Promise<void> {
    for (const prefix of prefixes) for (const key of await keysUnder(one, prefix)) await one.command('DEL', key);
    await Promise.all([one.close(), other.close()]);
  }

  return { one, other, make, prefixes, close };
}

export function newPrefix(): string {
  return `test-${randomBytes(8).toString('hex')}`;
}

export async function keysUnder(redis: RedisConnection, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = (await redis.command('SCAN', cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1_000)) as [
      string,
      string[],
    ];
    keys.push(...found);
    cursor = next;
  } while (cursor !== '0');
  return [...new Set(keys)];
}

/** Redis's clock cannot be moved, so the key's end is. */
async function age(redis: RedisConnection, key: string, ms: number): Promise<void> {
  const leftMs = Number(await redis.command('PTTL', key)) - ms;
  await redis.command('PEXPIRE', key, Math.max(0, leftMs));
}
