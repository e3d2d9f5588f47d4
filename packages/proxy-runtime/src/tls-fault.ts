/** OpenSSL's and Node's codes, each with what is wrong in words and what the operator can do about it. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ...[
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'CERT_UNTRUSTED',
    'INVALID_CA',
  ].map((code) => [code, unknownAuthority()] as const),
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    "the upstream's certificate is signed by itself; if it is meant to be, put it as PEM into tls.ca of the integration",
  ],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    "the upstream's certificate is for other names; correct the host of baseUrl, or have the certificate made out to it",
  ],
  ['CERT_HAS_EXPIRED', "the upstream's certificate, or one of those above it, has expired; it must be renewed there"],
  [
    'CERT_NOT_YET_VALID',
    "the upstream's certificate is not valid yet; compare its dates with the clock of this machine",
  ],
  ['CERT_REVOKED', "the upstream's certificate was revoked; it must be replaced there"],
  [
    'CERT_SIGNATURE_FAILURE',
    "the upstream's certificate is not signed by the authority of that name in tls.ca; put the right one there",
  ],
  ['INVALID_PURPOSE', "the upstream's certificate may not be used by servers; it must be replaced there"],
  [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'the upstream does not speak TLS on this port; correct the port, or use http in baseUrl where that is meant',
  ],
  ...['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'ERR_SSL_UNSUPPORTED_PROTOCOL'].map(
    (code) => [code, 'the upstream has no TLS 1.2 or 1.3, and older versions are not spoken'] as const,
  ),
  ...[
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
  ].map(
    (code) =>
      [code, 'the upstream asks for a client certificate that it trusts; use a credential of type mtls'] as const,
  ),
  [
    'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    'the upstream and this side have no cipher or certificate type in common, or it asks for a client certificate (credential type mtls)',
  ],
]);

function unknownAuthority(): string {
  return "the upstream's certificate is not signed by an authority that is trusted for it; put the PEM of its authority into tls.ca of the integration, and have the upstream send its whole chain";
}

/**
 * The diagnostic of a connection that TLS did not let come about: what was wrong and what to do about it. undefined for every other
 * error. For the log alone: it may tell names in the upstream's certificate.
 */
export function explainTlsFault(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  const remedy = code === undefined ? undefined : REMEDIES.get(code);
  return remedy === undefined ? undefined : `${code}: ${remedy} (${error.message.trim()})`;
}
