import type { KeyObject } from 'node:crypto';
import type { JwtAlgorithm } from '@postern/schemas';
import type { JWTPayload } from 'jose';
import { unfit } from '../secret-text.ts';

export interface Assertion {
  readonly claims: JWTPayload;
  readonly key: KeyObject;
  readonly keyId?: string | undefined;
  /** Default: what fits the key. */
  readonly algorithm?: JwtAlgorithm | undefined;
}

/** RSA keys under this many bits are refused by RFC 7518 section 3.3. */
const RSA_BITS_MIN = 2_048;

/** @throws Rejection `credential_unavailable` when key and algorithm do not fit. */
export async function signAssertion({ claims, key, keyId, algorithm }: Assertion): Promise<string> {
  const alg = algorithm ?? fittingAlgorithm(key);
  const header = { alg, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) };
  // Loaded here: 46 modules, and few nodes sign assertions.
  const { SignJWT } = await import('jose');
  try {
    return await new SignJWT(claims).setProtectedHeader(header).sign(key);
  } catch {
    // Without the cause: it may describe the key.
    throw unfit(`has a private key that cannot sign ${alg}`);
  }
}

/** @throws Rejection `credential_unavailable` for keys that no algorithm here is for. */
export function fittingAlgorithm(key: KeyObject): JwtAlgorithm {
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  if (asymmetricKeyType === 'rsa') {
    if ((asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN)
      throw unfit(`has an RSA key under ${RSA_BITS_MIN} bits`);
    return 'RS256';
  }
  if (asymmetricKeyType === 'ed25519') return 'EdDSA';
  if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
  if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'secp384r1') return 'ES384';
  throw unfit('has a private key of a kind that signs no assertions');
}
