import { ROTATION_LOCK_RANGE, type RotationLockPort } from '../ports/volatile/rotation-lock.ts';
import { requireIdentifier, requireRange } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { newOwner } from './owner.ts';

/** Keys `{prefix}:rotation-lock:{tenant}:{name}`. */
export function createRotationLock(store: KeyStore, prefix: string): RotationLockPort {
  const keyOf = keysOf(prefix, 'rotation-lock', ['name']);
  return {
    async acquire(tenant, name, ttlMs) {
      requireRange('ttlMs', ttlMs, ROTATION_LOCK_RANGE);
      const owner = newOwner();
      return (await store.add(keyOf(tenant, name), owner, ttlMs)) ? owner : undefined;
    },
    async renew(tenant, name, { owner, ttlMs }) {
      requireIdentifier('owner', owner);
      requireRange('ttlMs', ttlMs, ROTATION_LOCK_RANGE);
      return store.renewIf(keyOf(tenant, name), owner, ttlMs);
    },
    async release(tenant, name, owner) {
      requireIdentifier('owner', owner);
      return store.removeIf(keyOf(tenant, name), owner);
    },
  };
}
