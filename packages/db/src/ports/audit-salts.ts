import type { DbContext } from './context.ts';

/**
 * A tenant's salt for hashed redactions: one sealed version after the other, for what was hashed under an old one stays comparable until
 * that is erased. `envelope` is the vault's JSON text, opaque here.
 */
export type AuditSaltRecord = {
  readonly tenant: string;
  readonly version: number;
  readonly createdAt: number;
} & (
  | { readonly state: 'kept'; readonly kekId: string; readonly envelope: string }
  | { readonly state: 'erased'; readonly erasedAt: number }
);

/** All writes refuse to run outside a transaction. */
export interface AuditSaltsPort {
  /** The number the next salt will have; it is sealed to it inside the same transaction. */
  nextVersion(tenant: string, context: DbContext): Promise<number>;
  /** Stores version `version` (must be `nextVersion`, else `stale`); hashes are made with the newest. Fails `not_found` without the tenant. */
  createAuditSalt(
    salt: { readonly tenant: string; readonly version: number; readonly kekId: string; readonly envelope: string },
    context: DbContext,
  ): Promise<AuditSaltRecord>;
  /** The newest; undefined when the tenant has none. One that is erased is told as such: hash with no older one. */
  getActiveAuditSalt(tenant: string, context?: DbContext): Promise<AuditSaltRecord | undefined>;
  getAuditSalt(tenant: string, version: number, context?: DbContext): Promise<AuditSaltRecord | undefined>;
  /** Newest first. */
  listAuditSalts(tenant: string, context?: DbContext): Promise<readonly AuditSaltRecord[]>;
  /** Drops the material for good: what was hashed with it can be compared with nothing any more. False when it was gone, or is not there. */
  eraseAuditSalt(tenant: string, version: number, at: number, context: DbContext): Promise<boolean>;
  /** Conditional on the old kekId, for rewrap; false when it changed or was erased meanwhile. */
  replaceEnvelope(
    salt: { readonly tenant: string; readonly version: number; readonly kekId: string; readonly envelope: string },
    oldKekId: string,
    context: DbContext,
  ): Promise<boolean>;
}
