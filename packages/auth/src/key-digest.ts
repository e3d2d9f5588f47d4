import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** A key for digests with the id that is stored beside them. `@postern/vault`'s `deriveKey` makes such. */
export interface HmacKey {
  readonly keyId: string;
  readonly key: KeyObject;
}

/** What is stored of an agent key or an administrator's token: 32 bytes and the id of the key they were made under. */
export interface KeyDigest {
  readonly keyId: string;
  readonly digest: Uint8Array;
}

/**
 * HMAC-SHA-256 of an agent key or an administrator's token. A slow password hash would add nothing: both have 256 random bits. Derive one
 * `hmacKey` for agent keys and another for tokens. Equal texts have equal digests, so a store can find a token by its digest.
 */
export function keyDigest(text: string, { keyId, key }: HmacKey): KeyDigest {
  const digest = createHmac('sha256', key).update(text, 'utf8').digest();
  return { keyId, digest: new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength) };
}

/** Whether `stored` was made of `text`, compared in constant time. False when none of `hmacKeys` has the stored key id. */
export function verifyKeyDigest(text: string, stored: KeyDigest, hmacKeys: readonly HmacKey[]): boolean {
  const hmacKey = hmacKeys.find(({ keyId }) => keyId === stored.keyId);
  if (hmacKey === undefined) return false;
  const { digest } = keyDigest(text, hmacKey);
  return digest.length === stored.digest.length && timingSafeEqual(digest, stored.digest);
}
