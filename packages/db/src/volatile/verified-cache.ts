import { type CachedRead, VERIFIED_MS_MAX } from '../ports/volatile/cached-read.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore, ReadThroughKeys } from './key-store.ts';
import { createReadThrough } from './read-through.ts';

/** A cache of one area, of what somebody's rights rest on: no answer is older than `VERIFIED_MS_MAX`. */
export interface VerifiedCache {
  getOrRead<T>(tenant: string, id: readonly string[], source: CachedRead<T>): Promise<T | undefined>;
  drop(tenant: string, id: readonly string[]): Promise<void>;
  dropTenant(tenant: string): Promise<void>;
}

/**
 * The lease lives as long as what it leads to would: after that the read was too slow to be kept. Each caller asks the store, and waits
 * a little for another that reads the same: who joined that one on this node would not hear of a drop on another.
 */
const TERMS = { leaseMs: VERIFIED_MS_MAX, ttlMs: VERIFIED_MS_MAX, waitMs: 200 } as const;

/** `names`: of the parts of an id, for errors. */
export function createVerifiedCache(
  store: KeyStore,
  place: { readonly prefix: string; readonly area: string; readonly names: readonly string[] },
): VerifiedCache {
  const keyOf = keysOf(place.prefix, place.area, ['kind', ...place.names]);
  const through = createReadThrough(store);

  function keysFor(tenant: string, id: readonly string[]): ReadThroughKeys {
    return {
      entry: keyOf(tenant, 'entry', ...id),
      lease: keyOf(tenant, 'lease', ...id),
      generation: keyOf(tenant, 'generation'),
    };
  }

  return {
    async getOrRead(tenant, id, source) {
      return through.getOrRead(keysFor(tenant, id), source, TERMS);
    },
    async drop(tenant, id) {
      const keys = keysFor(tenant, id);
      through.forget(({ entry }) => entry === keys.entry);
      await store.remove([keys.entry, keys.lease]);
      through.forget(({ entry }) => entry === keys.entry);
    },
    async dropTenant(tenant) {
      const own = keyOf(tenant, 'generation');
      through.forget(({ generation }) => generation === own);
      await store.remove([own]);
      through.forget(({ generation }) => generation === own);
    },
  };
}
