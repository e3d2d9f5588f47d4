import {
  EXECUTION_LOCK_RANGE,
  type ExecutionLocksPort,
  type ExecutionScope,
} from '../ports/volatile/execution-locks.ts';
import { requireIdentifier, requireRange } from './check-range.ts';
import { type KeyOf, keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { newOwner } from './owner.ts';

export const EXECUTION_PARTS = ['workload', 'integration', 'group', 'key'] as const;

export function executionKey(keyOf: KeyOf, scope: ExecutionScope): string {
  return keyOf(scope.tenant, scope.workload, scope.integration, scope.group, scope.key);
}

/** Keys `{prefix}:execution-lock:{tenant}:{workload}:{integration}:{group}:{key}`. */
export function createExecutionLocks(store: KeyStore, prefix: string): ExecutionLocksPort {
  const keyOf = keysOf(prefix, 'execution-lock', EXECUTION_PARTS);
  return {
    async acquire(scope, ttlSeconds) {
      requireRange('ttlSeconds', ttlSeconds, EXECUTION_LOCK_RANGE);
      const owner = newOwner();
      return (await store.add(executionKey(keyOf, scope), owner, ttlSeconds * 1_000)) ? owner : undefined;
    },
    async release(scope, owner) {
      requireIdentifier('owner', owner);
      return store.removeIf(executionKey(keyOf, scope), owner);
    },
  };
}
