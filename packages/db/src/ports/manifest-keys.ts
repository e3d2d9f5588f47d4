import type { DbContext } from './context.ts';

/** `active → retired → revoked`, and no other way. An active one may sign, a retired one still verifies, a revoked one does neither. */
export const MANIFEST_KEY_STATUSES = ['active', 'retired', 'revoked'] as const;
export type ManifestKeyStatus = (typeof MANIFEST_KEY_STATUSES)[number];

export const MANIFEST_ALGORITHMS = ['EdDSA', 'ES256'] as const;
export type ManifestAlgorithm = (typeof MANIFEST_ALGORITHMS)[number];

/** The public half, as it is published. A member of a private key is refused. */
export type PublicJwk = Readonly<Record<string, string>>;

/** A keyset is named within a tenant; `tenant` '*' holds those of the whole instance. */
export interface ManifestKeysetRef {
  readonly tenant: string;
  readonly keyset: string;
}

export type ManifestKeyRecord = ManifestKeysetRef & {
  readonly kid: string;
  readonly algorithm: ManifestAlgorithm;
  readonly publicJwk: PublicJwk;
  readonly createdAt: number;
} & (
    | { readonly status: 'active' }
    | { readonly status: 'retired'; readonly retiredAt: number }
    | { readonly status: 'revoked'; readonly retiredAt: number; readonly revokedAt: number }
  );

/** The private half: the vault's envelope as JSON text, opaque here. It goes when the key is retired. */
export interface SealedManifestKey {
  readonly kekId: string;
  readonly envelope: string;
}

export interface NewManifestKey extends ManifestKeysetRef, SealedManifestKey {
  readonly kid: string;
  readonly algorithm: ManifestAlgorithm;
  readonly publicJwk: PublicJwk;
  /** How long verifiers may keep the keyset: 30 to 300 s, default 60. Taken by the keyset with its first key. */
  readonly maxAgeSeconds?: number;
}

export interface ManifestKeyset extends ManifestKeysetRef {
  /** The key that signs; absent: none does. */
  readonly activeKid?: string;
  /** Weak, and another with every change of the keyset (RFC 9110 section 8.8.3). */
  readonly etag: string;
  readonly generatedAt: number;
  readonly maxAgeSeconds: number;
  /** Of every status, newest first. Revoked ones are not to be published. */
  readonly keys: readonly ManifestKeyRecord[];
}

/**
 * Keys that manifests are signed with. The order of a rotation: `create` (verifiers learn of it within `maxAgeSeconds`), `setActive`,
 * `retire` the old one, `revoke` it once nothing lives that it signed. All writes refuse to run outside a transaction, are conditional
 * updates on the old status, and make the keyset's metadata anew in it. Whatever is missing or does not fit fails; nothing stands in for it.
 */
export interface ManifestKeysPort {
  /** An active key, which does not sign yet. Fails `conflict` when the keyset has had that kid, `not_found` without the tenant. */
  create(key: NewManifestKey, context: DbContext): Promise<ManifestKeyRecord>;
  /** The key that signs, with its private half. Fails `not_found` without keyset or signing key, `invalid` when its material is not there. */
  getActive(
    keyset: ManifestKeysetRef,
    context?: DbContext,
  ): Promise<{ readonly key: ManifestKeyRecord; readonly sealed: SealedManifestKey }>;
  /** Fails `not_found` without the keyset, `invalid` when its keys are not those that its ETag was made of. */
  list(keyset: ManifestKeysetRef, context?: DbContext): Promise<ManifestKeyset>;
  /** The key signs from here on, in place of the one before. It must be active (`stale`) and there (`not_found`). */
  setActive(keyset: ManifestKeysetRef, kid: string, context: DbContext): Promise<ManifestKeyset>;
  /** From `active` (`stale`). Drops the private half; when it was the key that signs, none signs from here on. */
  retire(keyset: ManifestKeysetRef, kid: string, context: DbContext): Promise<ManifestKeyset>;
  /** From `retired` (`stale`). Final. */
  revoke(keyset: ManifestKeysetRef, kid: string, context: DbContext): Promise<ManifestKeyset>;
  /** Conditional on the old kekId, for rewrap; false when it changed meanwhile or the key has no private half any more. */
  replaceEnvelope(
    key: ManifestKeysetRef & { readonly kid: string } & SealedManifestKey,
    oldKekId: string,
    context: DbContext,
  ): Promise<boolean>;
}
