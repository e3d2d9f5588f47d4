import type { KeyStore, Look } from '../volatile/key-store.ts';
import { newOwner } from '../volatile/owner.ts';
import {
  APPEND,
  FILL,
  GET_NEWEST,
  GET_WITH_TIME,
  LOOK,
  PUT_NEWER,
  REMOVE_IF,
  RENEW_IF,
  REPLACE_IF,
  TAKE,
} from './key-scripts.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Keys that a step of SCAN looks at. */
const SCAN_COUNT = 500;

/** A key store on Redis: one round trip an operation but `removeByPrefix`, which steps through all keys of the database. */
export function createRedisKeys(redis: RedisConnection): KeyStore {
  const whether = async (done: Promise<unknown>) => Number(await done) === 1;
  return {
    async get(key) {
      const [value, remainingMs] = listOf(await redis.run(GET_WITH_TIME, [key], []));
      return value === undefined ? undefined : { value: String(value), remainingMs: Number(remainingMs) };
    },
    async put(key, value, ttlMs) {
      await redis.command('SET', key, value, 'PX', ttlMs);
    },
    async add(key, value, ttlMs) {
      return (await redis.command('SET', key, value, 'NX', 'PX', ttlMs)) === 'OK';
    },
    async take(key) {
      const value = await redis.run(TAKE, [key], []);
      return typeof value === 'string' ? value : undefined;
    },
    async remove(keys) {
      if (keys.length > 0) await redis.command('DEL', ...keys);
    },
    renewIf: (key, value, ttlMs) => whether(redis.run(RENEW_IF, [key], [value, ttlMs])),
    replaceIf: (key, value, next) => whether(redis.run(REPLACE_IF, [key], [value, next.value, next.ttlMs])),
    removeIf: (key, value) => whether(redis.run(REMOVE_IF, [key], [value])),
    async putNewer(key, value, { order, ttlMs }) {
      return (await whether(redis.run(PUT_NEWER, [key], [order, value, ttlMs]))) ? 'applied' : 'skipped_stale';
    },
    async getNewest(key) {
      const [value, order, remainingMs] = listOf(await redis.run(GET_NEWEST, [key], []));
      if (value === undefined) return undefined;
      return { value: String(value), order: Number(order), remainingMs: Number(remainingMs) };
    },
    async append(key, value, { itemsMax, ttlMs }) {
      await redis.run(APPEND, [key], [value, itemsMax, ttlMs]);
    },
    async items(key) {
      return listOf(await redis.command('LRANGE', key, 0, -1)).map(String);
    },
    async look(keys, { leaseMs, ttlMs }) {
      const three = [keys.entry, keys.lease, keys.generation];
      const owners = [newOwner(), newOwner()];
      const [found, text] = listOf(await redis.run(LOOK, three, [...owners, leaseMs, ttlMs + leaseMs]));
      return lookOf(String(found), String(text));
    },
    fill(keys, { token, value, leaseMs, ttlMs }) {
      return whether(redis.run(FILL, [keys.entry, keys.lease, keys.generation], [token, value, leaseMs, ttlMs]));
    },
    removeByPrefix: (prefix, notCounted) => removeByPrefix(redis, prefix, notCounted),
  };
}

function lookOf(found: string, text: string): Look {
  if (found === 'value') return { found, value: text };
  return found === 'lease' ? { found, token: text } : { found: 'busy' };
}

/** SCAN tells each key that is there from its beginning to its end, so all are found that were there before. */
async function removeByPrefix(redis: RedisConnection, prefix: string, notCounted: string): Promise<number> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
  let removed = 0;
  let cursor = '0';
  do {
    const [next, found] = listOf(await redis.command('SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT));
    cursor = String(next);
    const keys = listOf(found).map(String);
    const counted = keys.filter((key) => !key.endsWith(notCounted));
    const others = keys.filter((key) => key.endsWith(notCounted));
    if (others.length > 0) await redis.command('UNLINK', ...others);
    if (counted.length > 0) removed += Number(await redis.command('UNLINK', ...counted));
  } while (cursor !== '0');
  return removed;
}

function listOf(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : [];
}
