export const VAULT_ERROR_CODES = [
  /** The key ring, or the text it was read from, is not usable. */
  'invalid_key_ring',
  /** Tenant, name or version of a secret is not of the right shape. */
  'invalid_reference',
  /** The envelope is not of the shape that `seal` makes. */
  'invalid_envelope',
  /** The envelope was wrapped by a key that the ring does not hold. */
  'unknown_key',
  /** Authentication failed: other tenant, name or version, another key of the same id, or changed bytes. These look alike on purpose. */
  'open_failed',
  /** The secret is no longer in memory: expired, dropped, or replaced by a newer version. */
  'secret_destroyed',
  /** The secret holds bytes that are not UTF-8 text. */
  'secret_not_text',
] as const;

export type VaultErrorCode = (typeof VAULT_ERROR_CODES)[number];

/** A failure of the vault with a code of a closed union. Its message never holds key material or a secret. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly code: VaultErrorCode;

  constructor(code: VaultErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
