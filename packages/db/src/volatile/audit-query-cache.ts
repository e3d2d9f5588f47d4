import { AUDIT_QUERY_TTL_RANGE, type AuditQueryCachePort } from '../ports/volatile/audit-query-cache.ts';
import { requireIdentifier, requireRange } from './check-range.ts';
import { encodeText, keysOf } from './key-of.ts';
import type { KeyStore, ReadThroughKeys } from './key-store.ts';
import { createReadThrough } from './read-through.ts';

/** How long a computation may take to be kept, and how long others wait for it. */
const COMPUTE_MS = { lease: 10_000, wait: 3_000 } as const;
/** Answers of one moment do not end at one moment. */
const JITTER = 0.2;
/** Names come whole, since what begins alike is deleted together. */
const KEY_LENGTH_MAX = 1_024;
const LEASE = ':lease';

/** Keys `{prefix}:audit-query:{tenant}:entry:{key}`, `…:entry:{key}:lease`, `…:generation`. `random`: from 0 up to 1. */
export function createAuditQueryCache(store: KeyStore, prefix: string, random: () => number): AuditQueryCachePort {
  const keyOf = keysOf(prefix, 'audit-query', ['kind']);
  const through = createReadThrough(store);

  function entryOf(tenant: string, name: string, key: string): string {
    requireIdentifier(name, key, KEY_LENGTH_MAX);
    return `${keyOf(tenant, 'entry')}:${encodeText(name, key)}`;
  }

  function keysFor(tenant: string, key: string): ReadThroughKeys {
    const entry = entryOf(tenant, 'key', key);
    return { entry, lease: entry + LEASE, generation: keyOf(tenant, 'generation') };
  }

  return {
    async getOrSet<T>(
      query: Parameters<AuditQueryCachePort['getOrSet']>[0] & { parse: (kept: unknown) => T | undefined },
      compute: () => Promise<T>,
    ) {
      requireRange('ttlSeconds', query.ttlSeconds, AUDIT_QUERY_TTL_RANGE);
      const ttlMs = Math.ceil(query.ttlSeconds * 1_000 * (1 - JITTER * random()));
      const terms = { leaseMs: COMPUTE_MS.lease, ttlMs, waitMs: COMPUTE_MS.wait };
      return (await through.getOrRead(
        keysFor(query.tenant, query.key),
        { read: compute, parse: query.parse },
        terms,
      )) as T;
    },
    async invalidateByTenant(tenant) {
      const own = keyOf(tenant, 'generation');
      through.forget(({ generation }) => generation === own);
      await store.remove([own]);
      through.forget(({ generation }) => generation === own);
    },
    async deleteByPrefix(tenant, prefixOfKeys) {
      const beginning = entryOf(tenant, 'prefix', prefixOfKeys);
      through.forget(({ entry }) => entry.startsWith(beginning));
      const count = await store.removeByPrefix(beginning, LEASE);
      through.forget(({ entry }) => entry.startsWith(beginning));
      return count;
    },
  };
}
