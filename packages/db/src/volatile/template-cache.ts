import type { TemplateCachePort, TemplateKey } from '../ports/volatile/template-cache.ts';
import { requireRange } from './check-range.ts';
import type { KeyStore } from './key-store.ts';
import { createVerifiedCache } from './verified-cache.ts';

/** Keys `{prefix}:templates:{tenant}:…`. */
export function createTemplateCache(store: KeyStore, prefix: string): TemplateCachePort {
  const cache = createVerifiedCache(store, { prefix, area: 'templates', names: ['name', 'version'] });
  return {
    async getOrRead(key, source) {
      return cache.getOrRead(key.tenant, [key.name, versionOf(key)], source);
    },
    dropTenant: (tenant) => cache.dropTenant(tenant),
  };
}

function versionOf({ version }: TemplateKey): string {
  if (version === 'highest' || version === 'published') return version;
  requireRange('version', version, { min: 1, max: Number.MAX_SAFE_INTEGER });
  return String(version);
}
