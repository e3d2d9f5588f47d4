export interface CachedQuery<T> {
  readonly tenant: string;
  /** Names the query within the tenant; a common beginning can be deleted together. */
  readonly key: string;
  /** 1..3,600; each answer lives between eight tenths of it and all of it. */
  readonly ttlSeconds: number;
  readonly parse: (kept: unknown) => T | undefined;
}

/** Answers to queries of the audit log. They may be as old as their time says; answers that no JSON of 1 MiB holds are not kept. */
export interface AuditQueryCachePort {
  /**
   * The answer that is kept, or what `compute` answers now. Concurrent callers, also on other nodes, share one computation: the others
   * wait for it, 3 s at most, and then compute for themselves. A computation that rejects is its own caller's: another
   * computes. A store that does not answer is as one that is empty. Fails `invalid` for ranges.
   */
  getOrSet<T>(query: CachedQuery<T>, compute: () => Promise<T>): Promise<T>;
  /** Atomic: who asks from then on is answered nothing that was computed before, or was being computed. Fails `unavailable`. */
  invalidateByTenant(tenant: string): Promise<void>;
  /**
   * Deletes what is kept, or being computed, under keys that begin with `prefix` (not empty), and tells how many answers that were. Not
   * atomic: key by key. Fails `unavailable`; then some are deleted.
   */
  deleteByPrefix(tenant: string, prefix: string): Promise<number>;
}

/** Seconds. */
export const AUDIT_QUERY_TTL_RANGE = { min: 1, max: 3_600 } as const;
