import { createHash, createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { Rejection } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { applyCredential, type CredentialRequest } from './apply-credential.ts';
import type { Credential } from './credential.ts';

const hmac: Credential = { type: 'hmac', secret: 's', header: 'X-Signature', algorithm: 'sha256' };
const aws: Credential = { type: 'aws_sigv4', secret: 's', service: 's3', region: 'us-east-1' };
const AWS_KEYS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const NOW = Date.UTC(2013, 4, 24);
const options = { now: () => NOW };

function rejectionOf(request: CredentialRequest, credential: Credential, secret: string): Rejection {
  try {
    applyCredential(request, credential, secret, options);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

describe('hmac', () => {
  test.each<[string, CredentialRequest, string, string]>([
    ['an absolute URL', { method: 'GET', url: 'https://h.test/a/b?c=%20' }, '/a/b?c=%20', ''],
    ['a path', { method: 'POST', url: '/a?b', body: '{"a":1}' }, '/a?b', '{"a":1}'],
    [
      'a URL without a path',
      { method: 'PUT', url: 'https://h.test', body: new Uint8Array([0, 255]) },
      '/',
      '\u0000\u00ff',
    ],
    ['a URL with a query alone', { method: 'GET', url: 'https://h.test?a=1' }, '/?a=1', ''],
  ])('signs time, method, path with query and body of %s', (_what, request, path, body) => {
    const { headers, echoes } = applyCredential(request, hmac, 'shared-secret', options);
    const digest = createHash('sha256').update(Buffer.from(body, 'latin1')).digest('hex');
    const text = `1369353600\n${request.method}\n${path}\n${digest}`;
    const signature = createHmac('sha256', 'shared-secret').update(text).digest('hex');
    const value = `t=1369353600,v1=${signature}`;
    expect(headers).toEqual([['x-signature', value]]);
    expect(echoes).toEqual([value, signature, 'shared-secret']);
  });

  test('refuses a secret under 8 characters', () => {
    expect(rejectionOf({ method: 'GET', url: '/' }, hmac, '1234567').code).toBe('credential_unavailable');
  });
});

describe('aws_sigv4', () => {
  const get: CredentialRequest = { method: 'GET', url: 'https://examplebucket.s3.amazonaws.com/?lifecycle' };

  test('gives the signature of the reference, and tells all that an answer could echo', () => {
    const applied = applyCredential(get, aws, JSON.stringify(AWS_KEYS), options);
    const signature = 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543';
    const authorization = `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}`;
    expect(applied.headers).toEqual([
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-content-sha256', createHash('sha256').digest('hex')],
      ['authorization', authorization],
    ]);
    expect(applied.echoes).toEqual([authorization, signature, AWS_KEYS.secretAccessKey]);
    expect(applied.url).toBe(get.url);
    expect(JSON.stringify(applied) + inspect(applied)).not.toContain(signature);
  });

  test('takes keys as AWS prints them, and the token of temporary ones', () => {
    const printed = {
      AccessKeyId: AWS_KEYS.accessKeyId,
      SecretAccessKey: AWS_KEYS.secretAccessKey,
      SessionToken: 'of-the-session',
    };
    const { headers, echoes } = applyCredential(get, aws, JSON.stringify(printed), options);
    expect(headers).toContainEqual(['x-amz-security-token', 'of-the-session']);
    expect(echoes).toContain('of-the-session');
  });

  test.each([
    ['no JSON', 'AKIAIOSFODNN7EXAMPLE:secret'],
    ['another document', '["a"]'],
    ['no secret key', JSON.stringify({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE' })],
    ['a secret key of 7 characters', JSON.stringify({ ...AWS_KEYS, secretAccessKey: '1234567' })],
    ['a secret key with a line break', JSON.stringify({ ...AWS_KEYS, secretAccessKey: '12345678\n' })],
    ['an id that would break the header', JSON.stringify({ ...AWS_KEYS, accessKeyId: 'AKIA/x, SignedHeaders=' })],
    ['a token that is no text', JSON.stringify({ ...AWS_KEYS, sessionToken: 1 })],
    ['a token with a line break', JSON.stringify({ ...AWS_KEYS, sessionToken: 'a\r\nx-evil: 1' })],
  ])('refuses %s', (_what, secret) => {
    const rejection = rejectionOf(get, aws, secret);
    expect(rejection.code).toBe('credential_unavailable');
    expect(rejection.message).not.toMatch(/AKIA|1234567/);
  });

  test('signs what decides how the body is read, and nothing that a hop may change', () => {
    const headers = {
      'Content-Type': 'text/plain',
      'Content-MD5': 'x',
      'User-Agent': 'sdk',
      Via: '1.1 a',
      traceparent: '00-a',
      'X-Amz-Meta-A': 'b',
      'x-amz-date': '20200101T000000Z',
    };
    const applied = applyCredential(
      { ...get, method: 'PUT', body: 'x', headers },
      aws,
      JSON.stringify(AWS_KEYS),
      options,
    );
    const authorization = applied.headers.at(-1)?.[1];
    expect(authorization).toContain(
      'SignedHeaders=content-md5;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a,',
    );
    expect(applied.headers).toContainEqual(['x-amz-date', '20130524T000000Z']);
  });

  test('keeps unsigned chunks and refuses signed ones', () => {
    const put = (word: string, service = 's3') => ({
      request: { ...get, method: 'PUT', body: 'x', headers: { 'X-Amz-Content-Sha256': word } },
      credential: { ...aws, service } as Credential,
    });
    const kept = put('STREAMING-UNSIGNED-PAYLOAD-TRAILER');
    const { headers } = applyCredential(kept.request, kept.credential, JSON.stringify(AWS_KEYS), options);
    expect(headers).toContainEqual(['x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']);
    for (const word of ['UNSIGNED-PAYLOAD', '0'.repeat(64), 'STREAMING-UNSIGNED-PAYLOAD-TRAILERS']) {
      const { request, credential } = put(word);
      const applied = applyCredential(request, credential, JSON.stringify(AWS_KEYS), options);
      const digest = createHash('sha256').update('x').digest('hex');
      expect(applied.headers).toContainEqual(['x-amz-content-sha256', digest]);
    }
    for (const word of ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'streaming-aws4-hmac-sha256-payload-trailer']) {
      const { request, credential } = put(word);
      expect(rejectionOf(request, credential, JSON.stringify(AWS_KEYS)).code).toBe('target_invalid');
    }
  });
});

test.each<Credential>([
  { type: 'oauth2_client_credentials', secret: 's', tokenUrl: 'https://h/t', clientId: 'c', auth: 'basic' },
  { type: 'mtls', secret: 's' },
])('a credential of type $type is not for a single request', (credential) => {
  const { code, message } = rejectionOf({ method: 'GET', url: '/' }, credential, 'secret-of-mine');
  expect(code).toBe('credential_unavailable');
  expect(message).not.toContain('secret-of-mine');
});
