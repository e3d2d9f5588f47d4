import type { SessionCachePort } from '../ports/volatile/sessions.ts';
import type { KeyStore } from './key-store.ts';
import { createVerifiedCache } from './verified-cache.ts';

/** Keys `{prefix}:sessions:{tenant}:…`. */
export function createSessionCache(store: KeyStore, prefix: string): SessionCachePort {
  const cache = createVerifiedCache(store, { prefix, area: 'sessions', names: ['tokenHash'] });
  return {
    getOrRead: (tenant, tokenHash, source) => cache.getOrRead(tenant, [tokenHash], source),
    drop: (tenant, tokenHash) => cache.drop(tenant, [tokenHash]),
    dropTenant: (tenant) => cache.dropTenant(tenant),
  };
}
