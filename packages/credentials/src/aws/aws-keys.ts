import { readJsonObject } from '../json-object.ts';
import { checkHeaderSecret, SECRET_LENGTH_MIN, unfit } from '../secret-text.ts';
import type { AwsKeys } from './aws-signature.ts';

const ACCESS_KEY_ID = /^[A-Za-z0-9_]{1,128}$/;

/**
 * The keys in a secret: JSON `{accessKeyId, secretAccessKey, sessionToken?}`, or with the capital initials that AWS's own tools print.
 *
 * @throws Rejection `credential_unavailable`, without the secret.
 */
export function readAwsKeys(secretText: string): AwsKeys {
  const given = readJsonObject(secretText);
  const member = (name: string) => given?.[name] ?? given?.[name[0]?.toUpperCase() + name.slice(1)];
  const [accessKeyId, secretAccessKey, sessionToken] = ['accessKeyId', 'secretAccessKey', 'sessionToken'].map(member);
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string') {
    throw unfit('must be JSON with the members accessKeyId, secretAccessKey and, for temporary keys, sessionToken');
  }
  if (!ACCESS_KEY_ID.test(accessKeyId)) throw unfit('has an accessKeyId that is none');
  if (secretAccessKey.length < SECRET_LENGTH_MIN) throw unfit('has a secretAccessKey that is too short');
  checkHeaderSecret(secretAccessKey);
  if (sessionToken === undefined || sessionToken === null) return { accessKeyId, secretAccessKey };
  if (typeof sessionToken !== 'string') throw unfit('has a sessionToken that is no text');
  checkHeaderSecret(sessionToken);
  return { accessKeyId, secretAccessKey, sessionToken };
}
