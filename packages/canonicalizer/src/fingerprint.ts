import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { Descriptor } from './describe-call.ts';

/** Keeps the digest of a call apart from digests of anything else that has the same JSON form. */
const DOMAIN = 'postern/call/v1\n';

/**
 * Lower-case hex SHA-256 of `postern/call/v1\n` followed by the descriptor in RFC 8785 form. Approvals bind to it, idempotency
 * keys are compared by it.
 *
 * @throws JsonError when the descriptor holds what JSON cannot carry
 */
export function fingerprint(descriptor: Descriptor): string {
  return hash('sha256', DOMAIN + canonicalJson(descriptor), 'hex');
}

/** `sha-256:` and the lower-case hex digest of exactly these bytes. */
export function bodyDigest(bytes: Uint8Array): string {
  return `sha-256:${hash('sha256', bytes, 'hex')}`;
}
