export type { AuditSaltRecord, AuditSaltsPort } from './audit-salts.ts';
export {
  CLOCK_SKEW_SECONDS_MAX,
  type CryptoVerificationDefaults,
  type CryptoVerificationPort,
} from './crypto-verification.ts';
export {
  MANIFEST_ALGORITHMS,
  MANIFEST_KEY_STATUSES,
  type ManifestAlgorithm,
  type ManifestKeyRecord,
  type ManifestKeyStatus,
  type ManifestKeyset,
  type ManifestKeysetRef,
  type ManifestKeysPort,
  type NewManifestKey,
  type PublicJwk,
  type SealedManifestKey,
} from './manifest-keys.ts';
export type { SecretEnvelopeVersion, SecretRecord, SecretsPort } from './secrets.ts';
