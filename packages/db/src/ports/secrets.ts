import type { DbContext, Origin, Page, PageRequest } from './context.ts';

/** What may be told of a secret. There is no way to a value but `getActiveSecretEnvelope`, and that is sealed. */
export interface SecretRecord {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  /** Environments it may be opened for; undefined: all. */
  readonly environments?: readonly string[];
  readonly activeVersion: number;
  readonly origin: Origin;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** One sealed version. `envelope` is the vault's JSON text, opaque here. */
export interface SecretEnvelopeVersion {
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
  readonly kekId: string;
  readonly envelope: string;
  readonly createdAt: number;
  /** Of versions that a token endpoint gave: the version that a person or a document wrote and that it descends from. */
  readonly rotatedFrom?: number;
}

/** All writes refuse to run outside a transaction (`invalid`). */
export interface SecretsPort {
  getByName(tenant: string, name: string, context?: DbContext): Promise<SecretRecord | undefined>;
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<SecretRecord>>;
  /** The number the next version will have; the envelope is sealed to it inside the same transaction. */
  nextVersion(tenant: string, name: string, context: DbContext): Promise<number>;
  /** Stores version `version` (must be `nextVersion`), makes it active, and creates or updates the secret's own row. */
  createSecretEnvelopeVersion(
    version: Omit<SecretEnvelopeVersion, 'createdAt'>,
    secret: { environments?: readonly string[]; origin: Origin },
    context: DbContext,
  ): Promise<SecretRecord>;
  /** Changes the environments (and the origin when given), not the value. */
  updateSecret(
    tenant: string,
    name: string,
    change: { environments?: readonly string[]; origin?: Origin },
    context: DbContext,
  ): Promise<SecretRecord>;
  getActiveSecretEnvelope(
    tenant: string,
    name: string,
    context?: DbContext,
  ): Promise<SecretEnvelopeVersion | undefined>;
  getSecretEnvelopeVersion(
    tenant: string,
    name: string,
    version: number,
    context?: DbContext,
  ): Promise<SecretEnvelopeVersion | undefined>;
  setActiveSecretEnvelopeVersion(
    tenant: string,
    name: string,
    version: number,
    context: DbContext,
  ): Promise<SecretRecord>;
  /** Newest first, without the envelopes' text. */
  listSecretEnvelopeVersions(
    tenant: string,
    name: string,
    context?: DbContext,
  ): Promise<readonly Omit<SecretEnvelopeVersion, 'envelope'>[]>;
  /** Conditional on the old kekId, for rewrap; false when it changed meanwhile. */
  replaceEnvelope(version: SecretEnvelopeVersion, oldKekId: string, context: DbContext): Promise<boolean>;
  /** Removes versions below `version` that token endpoints gave, but for the active one: nobody can use them any more. */
  removeRotatedVersions(tenant: string, name: string, version: number, context: DbContext): Promise<void>;
  remove(tenant: string, name: string, context: DbContext): Promise<void>;
}
