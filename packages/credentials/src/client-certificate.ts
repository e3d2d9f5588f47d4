import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { unfit } from './secret-text.ts';

/** What a TLS client shows: PEM, as Node's `tls.connect` takes it. It holds the private key: drop it with the secret. */
export interface ClientCertificate {
  /** The own certificate first, then its chain. */
  readonly cert: string;
  readonly key: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/g;

/**
 * Takes a bundle apart: certificates and one private key in any order. The certificate of the key comes first, the others keep their order.
 *
 * @throws Rejection `credential_unavailable`, without the secret.
 */
export function readClientCertificate(secretText: string): ClientCertificate {
  if (secretText.includes('ENCRYPTED')) throw unfit('has a private key under a passphrase; give it without one');
  const certificates = secretText.match(CERTIFICATE) ?? [];
  const keys = secretText.match(PRIVATE_KEY) ?? [];
  const [key] = keys;
  if (certificates.length === 0) throw unfit('has no certificate in PEM form');
  if (key === undefined || keys.length > 1) throw unfit('must have exactly one private key in PEM form');
  const privateKey = readPrivateKey(key);
  const own = certificates.find((pem) => isCertificateOf(pem, privateKey));
  if (own === undefined) throw unfit('has no certificate that its private key belongs to');
  const chain = certificates.filter((pem) => pem !== own);
  return { cert: [own, ...chain].map((pem) => `${pem}\n`).join(''), key: `${key}\n` };
}

/** @throws Rejection `credential_unavailable` when `pem` is no private key without a passphrase. */
export function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: a parser's message might quote what it met.
    throw unfit('has a private key that cannot be read');
  }
}

function isCertificateOf(pem: string, privateKey: KeyObject): boolean {
  try {
    return new X509Certificate(pem).checkPrivateKey(privateKey);
  } catch {
    throw unfit('has a certificate that cannot be read');
  }
}
