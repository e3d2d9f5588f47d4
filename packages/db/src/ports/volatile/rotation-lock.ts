/**
 * Who rotates what has a name (a key, a credential's token) at present. The lock spares work; that a paused owner does no harm, the
 * conditional writes of whoever uses it see to.
 */
export interface RotationLockPort {
  /**
   * The owner's token when the lock was free, for `ttlMs`; undefined when another has it. Atomic. Fails `unavailable`; then it may be
   * taken by nobody until `ttlMs` are over.
   */
  acquire(tenant: string, name: string, ttlMs: number): Promise<string | undefined>;
  /** Holds it for another `ttlMs` from now; false when it had ended or is another's. Atomic. Fails `unavailable`: take it for lost. */
  renew(tenant: string, name: string, hold: { readonly owner: string; readonly ttlMs: number }): Promise<boolean>;
  /** Frees it; false when it had ended or is another's, which stays untouched. Atomic. After `unavailable` it ends by itself. */
  release(tenant: string, name: string, owner: string): Promise<boolean>;
}

/** Milliseconds. */
export const ROTATION_LOCK_RANGE = { min: 100, max: 600_000 } as const;
