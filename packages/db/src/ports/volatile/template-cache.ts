import type { CachedRead } from './cached-read.ts';

export interface TemplateKey {
  readonly tenant: string;
  readonly name: string;
  /** A number from 1, or the one that is the highest or the published one at the time. */
  readonly version: number | 'highest' | 'published';
}

/** Templates that calls are read by. A version can be taken out of use, so its age is bounded as a right's is: `VERIFIED_MS_MAX`. */
export interface TemplateCachePort {
  /** As it was read last, or as `read` reads it now; fails only as `read` does, and `invalid` for a key that is none. */
  getOrRead<T>(key: TemplateKey, source: CachedRead<T>): Promise<T | undefined>;
  /** Forgets all versions of all templates of the tenant. Atomic; fails `unavailable`, then old ones are answered until their time is over. */
  dropTenant(tenant: string): Promise<void>;
}
