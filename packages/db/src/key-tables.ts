import type { ManifestAlgorithm, ManifestKeyStatus } from './ports/manifest-keys.ts';
import type { JsonColumn } from './tables.ts';

/** The rows of signing keys, salts and what goes with them, and of decisions beside the log. */
export interface KeyTables {
  manifest_keysets: ManifestKeysetRow;
  manifest_keys: ManifestKeyRow;
  crypto_verification_defaults: CryptoVerificationRow;
  audit_salts: AuditSaltRow;
  redaction_profiles: RedactionProfileRow;
  audit_decisions: AuditDecisionRow;
  template_invalidations: TemplateInvalidationRow;
}

export interface ManifestKeysetRow {
  tenant: string;
  keyset: string;
  /** The key that signs. */
  active_kid: string | null;
  etag: string;
  generated_at: number;
  max_age_seconds: number;
}

export interface ManifestKeyRow {
  tenant: string;
  keyset: string;
  kid: string;
  algorithm: ManifestAlgorithm;
  public_jwk: JsonColumn;
  /** The private half is there while the key is active. */
  kek_id: string | null;
  envelope: string | null;
  status: ManifestKeyStatus;
  created_at: number;
  retired_at: number | null;
  revoked_at: number | null;
}

export interface CryptoVerificationRow {
  tenant: string;
  require_temporal_validity: number;
  max_clock_skew_seconds: number;
  version: number;
  updated_at: number;
}

export interface AuditSaltRow {
  tenant: string;
  version: number;
  kek_id: string | null;
  envelope: string | null;
  created_at: number;
  erased_at: number | null;
}

export interface RedactionProfileRow {
  tenant: string;
  profile: JsonColumn;
  version: number;
  updated_by: string;
  updated_at: number;
}

export interface AuditDecisionRow {
  tenant: string;
  event_id: string;
  kind: 'policy' | 'ssrf_guard';
  decided_at: number;
  event: JsonColumn;
}

export interface TemplateInvalidationRow {
  tenant: string;
  id: string;
  name: string;
  version: number;
  created_at: number;
  attempts: number;
  /** Of one that is being delivered: the end of its lease. */
  next_attempt_at: number | null;
  delivered_at: number | null;
  last_error: string | null;
}
