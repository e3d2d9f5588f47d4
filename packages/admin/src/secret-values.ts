import { readWebhookSecret, WebhookSecretError } from '@postern/approvals';
import { compileCredential } from '@postern/credentials';
import type { Origin, SecretEnvelopeVersion, SecretRecord } from '@postern/db/ports';
import { type Credential, Rejection } from '@postern/schemas';
import { type SecretEnvelope, VaultError } from '@postern/vault';
import type { WriteDependencies } from './dependencies.ts';
import type { TenantWrite } from './tenant-write.ts';

export interface NewSecretValue {
  readonly name: string;
  readonly value: string;
  /** Absent: all. */
  readonly environments?: readonly string[];
  readonly origin: Origin;
}

/** Seals the value as the secret's next version, makes it active and records it. */
export async function writeSecretVersion(
  { repositories, vault }: WriteDependencies,
  write: TenantWrite,
  { name, value, environments, origin }: NewSecretValue,
): Promise<SecretRecord> {
  const { tenant, context } = write;
  const version = await repositories.secrets.nextVersion(tenant, name, context);
  const bytes = Buffer.from(value, 'utf8');
  let sealed: SecretEnvelope;
  try {
    sealed = vault.seal({ tenant, name, version }, bytes);
  } finally {
    bytes.fill(0);
  }
  const record = await repositories.secrets.createSecretEnvelopeVersion(
    { tenant, name, version, kekId: sealed.kekId, envelope: JSON.stringify(sealed) },
    { origin, ...(environments === undefined ? {} : { environments }) },
    context,
  );
  await write.record('secret.written', `secret:${name}`, { credential: name });
  return record;
}

/** What `use` makes of the sealed value's bytes, which are overwritten after it. Undefined when they cannot be opened. */
export function withOpenedSecret<T>(
  { vault }: Pick<WriteDependencies, 'vault'>,
  { tenant, name, version, envelope }: SecretEnvelopeVersion,
  use: (bytes: Buffer) => T,
): T | undefined {
  let bytes: Uint8Array;
  try {
    bytes = vault.open({ tenant, name, version }, JSON.parse(envelope) as SecretEnvelope);
  } catch (cause) {
    if (cause instanceof VaultError) return undefined;
    throw cause;
  }
  try {
    return use(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } finally {
    bytes.fill(0);
  }
}

/** Why `credential` cannot carry the secret `value`; undefined when it can. Never repeats the value. */
export function unfitness(credential: Credential, value: string): string | undefined {
  try {
    compileCredential(credential).checkSecret(value);
    return undefined;
  } catch (cause) {
    if (!(cause instanceof Rejection)) throw cause;
    return cause.message.replace(/\.$/, '');
  }
}

/** Why webhooks cannot be signed with the secret `value`; undefined when they can. Never repeats the value. */
export function webhookUnfitness(value: string): string | undefined {
  try {
    readWebhookSecret(value);
    return undefined;
  } catch (cause) {
    if (!(cause instanceof WebhookSecretError)) throw cause;
    return cause.message.replace(/\.$/, '');
  }
}
