import type { CachedRead } from './cached-read.ts';

/**
 * Sessions by the hash of their token, in front of the repository: what it answers is at most `VERIFIED_MS_MAX` old. It judges
 * nothing; whether a session is over, its own fields say.
 */
export interface SessionCachePort {
  /**
   * The session as it was read last, or as `read` reads it now. Callers on one node share a read that began at
   * most 0.4 s ago. A store that does not answer is
   * as one that is empty: it never fails by itself. Fails `invalid` for empty identifiers.
   */
  getOrRead<T>(tenant: string, tokenHash: string, source: CachedRead<T>): Promise<T | undefined>;
  /**
   * Forgets a session, after its row has changed. Atomic: what was read before is kept by nobody from then on. Fails `unavailable`
   * with the store; then the old one may be answered until its time is over.
   */
  drop(tenant: string, tokenHash: string): Promise<void>;
  /** Forgets all of a tenant; as `drop`. */
  dropTenant(tenant: string): Promise<void>;
}
