export { type DerivedKey, deriveKey, deriveKeys } from './derive-key.ts';
export type { SecretEnvelope } from './envelope.ts';
export { createLocalKekProvider, type KekProvider, type WrappedKey } from './kek-provider.ts';
export { generateMasterKey, type KeyRing, MASTER_KEY_BYTES, parseKeyRing } from './key-ring.ts';
export type { RandomBytes } from './random-bytes.ts';
export { Secret } from './secret.ts';
export {
  type CachedSecretReference,
  createSecretCache,
  SECRET_TTL_MS_MAX,
  type SecretCache,
  type SecretCacheOptions,
} from './secret-cache.ts';
export type { SecretReference } from './secret-reference.ts';
export { createVault, type Vault, type VaultOptions } from './vault.ts';
export { VAULT_ERROR_CODES, VaultError, type VaultErrorCode } from './vault-error.ts';
