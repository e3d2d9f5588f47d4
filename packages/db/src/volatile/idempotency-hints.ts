import {
  IDEMPOTENCY_HINT_RANGE,
  type IdempotencyHint,
  type IdempotencyHintsPort,
} from '../ports/volatile/idempotency-hints.ts';
import { requireIdentifier, requireRange } from './check-range.ts';
import { EXECUTION_PARTS, executionKey } from './execution-locks.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { readKept } from './read-kept.ts';

/** Keys `{prefix}:idempotency-hint:{tenant}:{workload}:{integration}:{group}:{key}`. */
export function createIdempotencyHints(store: KeyStore, prefix: string): IdempotencyHintsPort {
  const keyOf = keysOf(prefix, 'idempotency-hint', EXECUTION_PARTS);
  return {
    async remember(scope, { claim, fingerprint }, ttlSeconds) {
      requireIdentifier('claim', claim);
      requireIdentifier('fingerprint', fingerprint);
      requireRange('ttlSeconds', ttlSeconds, IDEMPOTENCY_HINT_RANGE);
      return store.add(executionKey(keyOf, scope), JSON.stringify({ claim, fingerprint }), ttlSeconds * 1_000);
    },
    async find(scope) {
      return readKept((await store.get(executionKey(keyOf, scope)))?.value, parseHint);
    },
    async forget(scope) {
      await store.remove([executionKey(keyOf, scope)]);
    },
  };
}

function parseHint(kept: Readonly<Record<string, unknown>>): IdempotencyHint | undefined {
  const { claim, fingerprint } = kept;
  return typeof claim === 'string' && typeof fingerprint === 'string' ? { claim, fingerprint } : undefined;
}
