import { VaultError } from './vault-error.ts';

/** Which secret an envelope holds. `version` counts from 1. */
export interface SecretReference {
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
}

/**
 * The additional data that ties a ciphertext to its secret: a domain, then tenant, name and version, each with its length before it, so that
 * no two references and no two uses share an encoding.
 *
 * @throws VaultError `invalid_reference`.
 */
export function bindReference(domain: string, reference: SecretReference): Uint8Array {
  const { tenant, name, version } = reference;
  checkText('tenant', tenant);
  checkText('name', name);
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new VaultError('invalid_reference', 'The version of a secret must be a whole number from 1.');
  }
  return encodeFields([domain, tenant, name, String(version)]);
}

function checkText(field: 'tenant' | 'name', value: string): void {
  // Lone surrogates all encode to U+FFFD: two names would share one encoding.
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) {
    throw new VaultError('invalid_reference', `The ${field} of a secret must be well-formed text that is not empty.`);
  }
}

function encodeFields(fields: readonly string[]): Uint8Array {
  const parts = fields.flatMap((field) => {
    const bytes = Buffer.from(field, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}
