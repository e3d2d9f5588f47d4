import type { KeyObject } from 'node:crypto';
import { decrypt, encrypt, NONCE_BYTES } from './aead.ts';
import { expandKey } from './derive-key.ts';
import { checkKeyRing, type KeyRing } from './key-ring.ts';
import { type RandomBytes, systemRandom } from './random-bytes.ts';
import { VaultError } from './vault-error.ts';

/** A data key under a key-encryption key. `wrappedKey` is the ciphertext with its tag. */
export interface WrappedKey {
  readonly kekId: string;
  readonly wrapNonce: Uint8Array;
  readonly wrappedKey: Uint8Array;
}

/** Holds the key-encryption keys. `additionalData` given to `wrap` must be given to `unwrap` again. */
export interface KekProvider {
  /** The key that wraps at present. */
  readonly activeId: string;
  wrap(dataKey: Uint8Array, additionalData: Uint8Array): WrappedKey;
  /**
   * The data key, in an array that becomes the caller's.
   *
   * @throws VaultError `unknown_key`, `open_failed`.
   */
  unwrap(wrapped: WrappedKey, additionalData: Uint8Array): Uint8Array;
}

/**
 * Key-encryption keys derived from the master keys of `keyRing`. The ring's arrays are not kept, so the caller may overwrite them.
 *
 * @throws VaultError `invalid_key_ring`.
 */
export function createLocalKekProvider(keyRing: KeyRing, random: RandomBytes = systemRandom): KekProvider {
  checkKeyRing(keyRing);
  // Not the master key itself: one key has one use.
  const keks = new Map<string, KeyObject>(
    Object.entries(keyRing.keys).map(([id, masterKey]) => [id, expandKey(masterKey, 'postern/vault/kek/v1')]),
  );
  const activeId = keyRing.active;

  function find(kekId: string): KeyObject {
    const key = keks.get(kekId);
    if (key === undefined) throw new VaultError('unknown_key', 'The key ring does not hold the key of this envelope.');
    return key;
  }

  return {
    activeId,
    wrap(dataKey, additionalData) {
      const wrapNonce = random(NONCE_BYTES);
      const wrappedKey = encrypt({ key: find(activeId), nonce: wrapNonce, additionalData }, dataKey);
      return { kekId: activeId, wrapNonce, wrappedKey };
    },
    unwrap(wrapped, additionalData) {
      const dataKey = decrypt(
        { key: find(wrapped.kekId), nonce: wrapped.wrapNonce, additionalData },
        wrapped.wrappedKey,
      );
      if (dataKey === undefined) throw new VaultError('open_failed', 'The data key of the envelope cannot be opened.');
      return dataKey;
    },
  };
}
