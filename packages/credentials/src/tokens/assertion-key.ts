import type { KeyObject } from 'node:crypto';
import { readPrivateKey } from '../client-certificate.ts';
import { readJsonObject } from '../json-object.ts';
import { unfit } from '../secret-text.ts';

export interface AssertionKey {
  readonly key: KeyObject;
  /** Of a service account: its `client_email`. */
  readonly issuer?: string | undefined;
  readonly keyId?: string | undefined;
}

/**
 * The private key in a secret: PEM (PKCS#8, or PKCS#1 as GitHub gives it), or the JSON that Google gives for a service account.
 *
 * @throws Rejection `credential_unavailable`, without the secret.
 */
export function readAssertionKey(secretText: string): AssertionKey {
  if (!secretText.trimStart().startsWith('{')) return { key: readPem(secretText) };
  const account = readJsonObject(secretText);
  const privateKey = account?.['private_key'];
  if (account === undefined || typeof privateKey !== 'string') {
    throw unfit('must be a private key in PEM form, or the JSON of a service account with private_key');
  }
  return {
    key: readPem(privateKey),
    issuer: textOf(account['client_email']),
    keyId: textOf(account['private_key_id']),
  };
}

function readPem(text: string): KeyObject {
  if (!text.includes('PRIVATE KEY-----')) throw unfit('must be a private key in PEM form');
  return readPrivateKey(text);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
