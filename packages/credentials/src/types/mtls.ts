import { readClientCertificate } from '../client-certificate.ts';
import type { CredentialOf } from '../credential.ts';
import type { TlsKind } from '../credential-kind.ts';

/** Nothing is written into the request: the certificate is shown in the handshake of the connection that carries the call. */
export const mtls: TlsKind<CredentialOf<'mtls'>> = {
  shape: 'tls',
  findIssues: () => [],
  openCertificate: (_credential, secretText) => readClientCertificate(secretText),
};
