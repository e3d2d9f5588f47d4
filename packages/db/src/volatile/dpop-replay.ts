import { createHash } from 'node:crypto';
import { DPOP_TTL_RANGE, type DpopReplayPort } from '../ports/volatile/dpop-replay.ts';
import { requireIdentifier, requireRange } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';

/** Keys `{prefix}:dpop:{tenant}:{SHA-256 of scope and jti}`. */
export function createDpopReplay(store: KeyStore, prefix: string): DpopReplayPort {
  const keyOf = keysOf(prefix, 'dpop', ['jti']);
  return {
    async firstUse({ tenant, scope, jti, ttlSeconds }) {
      requireIdentifier('scope', scope);
      requireIdentifier('jti', jti);
      requireRange('ttlSeconds', ttlSeconds, DPOP_TTL_RANGE);
      return store.add(keyOf(tenant, digest(scope, jti)), '1', ttlSeconds * 1_000);
    },
  };
}

/** What this node has seen is used, whatever the shared store has lost; what it has not seen, the shared store knows. */
export function rememberHere(here: DpopReplayPort, shared: DpopReplayPort): DpopReplayPort {
  return {
    async firstUse(proof) {
      return (await here.firstUse(proof)) && shared.firstUse(proof);
    },
  };
}

/** The length in front keeps two pairs of other borders apart. */
function digest(scope: string, jti: string): string {
  return createHash('sha256').update(`${scope.length}:${scope}${jti}`, 'utf16le').digest('base64url');
}
