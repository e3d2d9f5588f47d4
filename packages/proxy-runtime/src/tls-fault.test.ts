import { expect, test } from 'vitest';
import { explainTlsFault } from './tls-fault.ts';

function errorOf(code: string, message = 'what OpenSSL says'): Error {
  return Object.assign(new Error(message), { code });
}

test.each([
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls.ca'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls.ca'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'signed by itself'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'baseUrl'],
  ['CERT_HAS_EXPIRED', 'renewed'],
  ['CERT_NOT_YET_VALID', 'clock'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'port'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'TLS 1.2'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'mtls'],
  ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'mtls'],
])('%s is told with what to do about it', (code, remedy) => {
  const text = explainTlsFault(errorOf(code, 'the reason\n'));
  expect(text).toMatch(new RegExp(`^${code}: `));
  expect(text).toContain(remedy);
  expect(text).toMatch(/\(the reason\)$/);
});

test.each([errorOf('ECONNREFUSED'), errorOf('UND_ERR_SOCKET'), errorOf('constructor'), new Error('plain')])(
  'another error is not explained: %s',
  (error) => {
    expect(explainTlsFault(error)).toBeUndefined();
  },
);
