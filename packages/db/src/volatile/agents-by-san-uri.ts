import type { AgentsBySanUriPort } from '../ports/volatile/agents-by-san-uri.ts';
import type { KeyStore } from './key-store.ts';
import { createVerifiedCache } from './verified-cache.ts';

/** Keys `{prefix}:agents-by-san:{tenant}:…`. */
export function createAgentsBySanUri(store: KeyStore, prefix: string): AgentsBySanUriPort {
  const cache = createVerifiedCache(store, { prefix, area: 'agents-by-san', names: ['sanUri'] });
  return {
    getOrRead: (tenant, sanUri, source) => cache.getOrRead(tenant, [sanUri], source),
    drop: (tenant, sanUri) => cache.drop(tenant, [sanUri]),
    dropTenant: (tenant) => cache.dropTenant(tenant),
  };
}
