import {
  ENROLMENT_KEEP_RANGE,
  ENROLMENT_LOCK_RANGE,
  type EnrolmentTokensPort,
} from '../ports/volatile/enrolment-tokens.ts';
import { requireIdentifier, requireRange } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { newOwner } from './owner.ts';

/** What no owner is called; who gives this word as an owner owns nothing. */
const CONSUMED = 'consumed';

/** Keys `{prefix}:enrolment:{tenant}:{tokenHash}`: an owner's token, or that it is consumed. */
export function createEnrolmentTokens(store: KeyStore, prefix: string): EnrolmentTokensPort {
  const keyOf = keysOf(prefix, 'enrolment', ['tokenHash']);
  return {
    async begin(tenant, tokenHash, lockSeconds) {
      requireRange('lockSeconds', lockSeconds, ENROLMENT_LOCK_RANGE);
      const [key, owner] = [keyOf(tenant, tokenHash), newOwner()];
      if (await store.add(key, owner, lockSeconds * 1_000)) return { state: 'locked', owner };
      return { state: (await store.get(key))?.value === CONSUMED ? 'consumed' : 'busy' };
    },
    async finish(tenant, tokenHash, { owner, keepSeconds }) {
      requireIdentifier('owner', owner);
      requireRange('keepSeconds', keepSeconds, ENROLMENT_KEEP_RANGE);
      const next = { value: CONSUMED, ttlMs: keepSeconds * 1_000 };
      return owner === CONSUMED ? false : store.replaceIf(keyOf(tenant, tokenHash), owner, next);
    },
    async abandon(tenant, tokenHash, owner) {
      requireIdentifier('owner', owner);
      return owner === CONSUMED ? false : store.removeIf(keyOf(tenant, tokenHash), owner);
    },
  };
}
