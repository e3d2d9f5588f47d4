import { NONCE_BYTES, TAG_BYTES } from './aead.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { WrappedKey } from './kek-provider.ts';
import { MASTER_KEY_BYTES } from './key-ring.ts';
import { VaultError } from './vault-error.ts';

/**
 * One sealed secret version, a plain JSON object. Strings but `kekId` are standard base64: nonces of 12 bytes, `wrappedKey` (a 32-byte data
 * key) and `ciphertext` each followed by their 16-byte tag.
 */
export interface SecretEnvelope {
  readonly v: 1;
  readonly kekId: string;
  readonly wrapNonce: string;
  readonly wrappedKey: string;
  readonly nonce: string;
  readonly ciphertext: string;
}

export interface EnvelopeParts {
  readonly wrapped: WrappedKey;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export function writeEnvelope(parts: EnvelopeParts): SecretEnvelope {
  return {
    v: 1,
    kekId: parts.wrapped.kekId,
    wrapNonce: encodeBase64(parts.wrapped.wrapNonce),
    wrappedKey: encodeBase64(parts.wrapped.wrappedKey),
    nonce: encodeBase64(parts.nonce),
    ciphertext: encodeBase64(parts.ciphertext),
  };
}

/**
 * The parts of an envelope that may come from outside.
 *
 * @throws VaultError `invalid_envelope`, naming the field.
 */
export function readEnvelope(envelope: SecretEnvelope): EnvelopeParts {
  if (envelope?.v !== 1) throw invalid('v', 'must be 1');
  if (typeof envelope.kekId !== 'string' || envelope.kekId === '') throw invalid('kekId', 'must be the id of a key');
  return {
    wrapped: {
      kekId: envelope.kekId,
      wrapNonce: readBytes(envelope, 'wrapNonce', NONCE_BYTES),
      wrappedKey: readBytes(envelope, 'wrappedKey', MASTER_KEY_BYTES + TAG_BYTES),
    },
    nonce: readBytes(envelope, 'nonce', NONCE_BYTES),
    ciphertext: readBytes(envelope, 'ciphertext'),
  };
}

type BytesField = 'wrapNonce' | 'wrappedKey' | 'nonce' | 'ciphertext';

function readBytes(envelope: SecretEnvelope, field: BytesField, size?: number): Uint8Array {
  const text: unknown = envelope[field];
  const bytes = typeof text === 'string' ? decodeBase64(text) : undefined;
  if (bytes === undefined) throw invalid(field, 'must be standard base64 with padding');
  if (size !== undefined && bytes.length !== size) throw invalid(field, `must have ${size} bytes`);
  if (bytes.length < Math.min(TAG_BYTES, size ?? TAG_BYTES))
    throw invalid(field, `must have at least ${TAG_BYTES} bytes`);
  return bytes;
}

function invalid(field: keyof SecretEnvelope, problem: string): VaultError {
  return new VaultError('invalid_envelope', `The envelope is not valid: ${field} ${problem}.`);
}
