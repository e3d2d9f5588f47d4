import { type CipherKey, createCipheriv, createDecipheriv } from 'node:crypto';

/** NIST SP 800-38D section 8.2: 96 bits. Random nonces are sound here: a data key seals once, a wrapping key far below 2^32 times. */
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

export interface AeadInput {
  readonly key: CipherKey;
  readonly nonce: Uint8Array;
  readonly additionalData: Uint8Array;
}

/** AES-256-GCM. Answers the ciphertext followed by its 16-byte tag. */
export function encrypt(input: AeadInput, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', input.key, input.nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(input.additionalData);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The plaintext in an array of its own, or `undefined` when the tag does not fit; then nothing of the plaintext stays in memory. */
export function decrypt(input: AeadInput, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', input.key, input.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(input.additionalData);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  // GCM is a stream mode: `update` gives all bytes, `final` gives none and checks the tag.
  const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    return undefined;
  }
  return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
}
