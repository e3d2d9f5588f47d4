import { decrypt, encrypt, NONCE_BYTES } from './aead.ts';
import { readEnvelope, type SecretEnvelope, writeEnvelope } from './envelope.ts';
import { createLocalKekProvider } from './kek-provider.ts';
import { type KeyRing, MASTER_KEY_BYTES } from './key-ring.ts';
import { type RandomBytes, systemRandom } from './random-bytes.ts';
import { bindReference, type SecretReference } from './secret-reference.ts';
import { VaultError } from './vault-error.ts';

export interface VaultOptions {
  readonly keyRing: KeyRing;
  readonly random?: RandomBytes;
}

/** All three answer at once: the key ring is in memory. Each throws `VaultError`. */
export interface Vault {
  /** Seals `bytes` under a data key of their own. The caller keeps `bytes` and overwrites them when done. */
  seal(reference: SecretReference, bytes: Uint8Array): SecretEnvelope;
  /** The sealed bytes, in an array that becomes the caller's to overwrite. Only the reference given to `seal` opens. */
  open(reference: SecretReference, envelope: SecretEnvelope): Uint8Array;
  /** The same secret with its data key wrapped anew by the active key; `nonce` and `ciphertext` stay. No secret is opened. */
  rewrap(reference: SecretReference, envelope: SecretEnvelope): SecretEnvelope;
}

const WRAP_DOMAIN = 'postern/vault/wrap/v1';
const SECRET_DOMAIN = 'postern/vault/secret/v1';

/**
 * A vault over a local key ring: AES-256-GCM under a random 32-byte data key per envelope, itself under a key-encryption key of the ring.
 * Both layers are tied to tenant, name and version.
 *
 * @throws VaultError `invalid_key_ring`.
 */
export function createVault(options: VaultOptions): Vault {
  const random = options.random ?? systemRandom;
  const kek = createLocalKekProvider(options.keyRing, random);

  return {
    seal(reference, bytes) {
      const additionalData = bindReference(SECRET_DOMAIN, reference);
      const dataKey = random(MASTER_KEY_BYTES);
      try {
        const nonce = random(NONCE_BYTES);
        const ciphertext = encrypt({ key: dataKey, nonce, additionalData }, bytes);
        return writeEnvelope({ wrapped: kek.wrap(dataKey, bindReference(WRAP_DOMAIN, reference)), nonce, ciphertext });
      } finally {
        dataKey.fill(0);
      }
    },

    open(reference, envelope) {
      const additionalData = bindReference(SECRET_DOMAIN, reference);
      const { wrapped, nonce, ciphertext } = readEnvelope(envelope);
      const dataKey = kek.unwrap(wrapped, bindReference(WRAP_DOMAIN, reference));
      try {
        const bytes = decrypt({ key: dataKey, nonce, additionalData }, ciphertext);
        if (bytes === undefined) throw new VaultError('open_failed', 'The envelope cannot be opened.');
        return bytes;
      } finally {
        dataKey.fill(0);
      }
    },

    rewrap(reference, envelope) {
      const additionalData = bindReference(WRAP_DOMAIN, reference);
      const { wrapped, nonce, ciphertext } = readEnvelope(envelope);
      const dataKey = kek.unwrap(wrapped, additionalData);
      try {
        return writeEnvelope({ wrapped: kek.wrap(dataKey, additionalData), nonce, ciphertext });
      } finally {
        dataKey.fill(0);
      }
    },
  };
}
