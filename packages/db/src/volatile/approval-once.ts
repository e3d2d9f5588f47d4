import { APPROVAL_KEPT_MS_MAX, type ApprovalOncePort, type OnceKey } from '../ports/volatile/approval-once.ts';
import { requireIdentifier, requireTime } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { leftUntil } from './left-until.ts';

/** Keys `{prefix}:approval-once:{tenant}:{agent}:{fingerprint}`. */
export function createApprovalOnce(store: KeyStore, prefix: string, now: () => number): ApprovalOncePort {
  const keyOf = keysOf(prefix, 'approval-once', ['agent', 'fingerprint']);
  const keyFor = ({ tenant, agent, fingerprint }: OnceKey) => keyOf(tenant, agent, fingerprint);
  return {
    async put(key, approval, expiresAtMs) {
      requireIdentifier('approval', approval);
      requireTime('expiresAtMs', expiresAtMs);
      const leftMs = leftUntil('expiresAtMs', expiresAtMs, { nowMs: now(), mostMs: APPROVAL_KEPT_MS_MAX });
      if (leftMs <= 0) await store.remove([keyFor(key)]);
      else await store.put(keyFor(key), approval, leftMs);
    },
    async take(key) {
      return store.take(keyFor(key));
    },
  };
}
