import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { checkKeyRing, type KeyRing, MASTER_KEY_BYTES } from './key-ring.ts';
import { VaultError } from './vault-error.ts';

/** A key for one purpose. `key` is 32 bytes held outside JavaScript's memory, for `createHmac` and ciphers. */
export interface DerivedKey {
  readonly keyId: string;
  readonly key: KeyObject;
}

const PURPOSE = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * The key for `purpose` (lower-case words with dashes, as `agent-key`) under the master key `keyId`, by default the active one. Keys of two
 * purposes or of two master keys tell nothing about each other. HKDF-SHA-256, RFC 5869.
 *
 * @throws VaultError `invalid_key_ring`, or `unknown_key` when the ring has no key `keyId`.
 */
export function deriveKey(keyRing: KeyRing, purpose: string, keyId: string = keyRing.active): DerivedKey {
  checkKeyRing(keyRing);
  if (!PURPOSE.test(purpose)) throw new TypeError('The purpose of a derived key must be lower-case words with dashes.');
  const masterKey = Object.hasOwn(keyRing.keys, keyId) ? keyRing.keys[keyId] : undefined;
  if (masterKey === undefined)
    throw new VaultError('unknown_key', 'The key ring does not hold the key that was asked for.');
  return { keyId, key: expandKey(masterKey, `postern/derive/v1/${purpose}`) };
}

/** The keys for `purpose` under every master key, the active one first: the first signs, all verify. */
export function deriveKeys(keyRing: KeyRing, purpose: string): readonly DerivedKey[] {
  const others = Object.keys(keyRing.keys).filter((id) => id !== keyRing.active);
  return [keyRing.active, ...others].map((id) => deriveKey(keyRing, purpose, id));
}

/** HKDF-SHA-256 without salt: a master key is uniformly random already (RFC 5869 section 3.1). `info` keeps the uses apart. */
export function expandKey(masterKey: Uint8Array, info: string): KeyObject {
  const bytes = new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(0), info, MASTER_KEY_BYTES));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}
