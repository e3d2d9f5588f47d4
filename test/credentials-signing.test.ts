import { createHash, createHmac } from 'node:crypto';
import { type RecordedRequest, type S3Upstream, startS3Upstream, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents, control, outcomeOf } from './support/audit-log.ts';
import { type CallOptions, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const agent = newAgent('coder');
const HMAC_SECRET = 'shared-secret-9f8e7d6c';
const KEYS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const TEMPORARY = { ...KEYS, sessionToken: 'session-token-0123456789/+==' };

let upstream: Upstream;
let s3: S3Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  s3 = await startS3Upstream({ ...KEYS, region: 'eu-central-1' });
  const aws = (name: string, secret: string, service: string) =>
    integration(name, service === 's3' && secret === 'aws' ? s3.url : upstream.url, {
      credential: { type: 'aws_sigv4', secret, service, region: 'eu-central-1' },
    });
  const integrations = [
    integration('signed', upstream.url, {
      credential: { type: 'hmac', secret: 'shared', header: 'X-Signature' },
      actions: [{ name: 'stream', methods: ['POST'], paths: ['/stream'], body: 'stream' }],
    }),
    aws('s3', 'aws', 's3'),
    aws('echo', 'temporary', 's3'),
    aws('dynamodb', 'temporary', 'dynamodb'),
  ];
  const secrets = {
    shared: { value: HMAC_SECRET },
    aws: { value: JSON.stringify(KEYS) },
    temporary: { value: JSON.stringify(TEMPORARY) },
  };
  const config = configOf([agent], integrations, { secrets });
  gateway = await startGateway({ config, environment: { POSTERN_LOG_LEVEL: 'trace' } });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await s3?.close();
});

const send = (target: string, options: CallOptions = {}) =>
  call(gateway.dataUrl, `/to/${target}`, { ...options, headers: { 'postern-key': agent.key, ...options.headers } });
const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');
const last = () => upstream.requests.at(-1) as RecordedRequest;

describe('hmac', () => {
  const expectSigned = ({ method, url, headers, body }: RecordedRequest) => {
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-signature'] ?? '') ?? [];
    expect(Math.abs(Number(seconds) - Date.now() / 1_000)).toBeLessThan(10);
    const text = `${seconds}\n${method}\n${url}\n${sha256(body)}`;
    expect(signature).toBe(createHmac('sha256', HMAC_SECRET).update(text).digest('hex'));
  };

  test.each<[string, string, CallOptions]>([
    ['no body', 'signed/x', {}],
    ['a query as it was written', 'signed/x?b=2&a=%20+1', {}],
    ['a path with escapes', 'signed/a%2Fb/%e4', {}],
    ['a body', 'signed/x', { body: '{"amount": 1}', method: 'POST' }],
    ['a body beyond what is kept in memory', 'signed/x', { body: Buffer.alloc(2_000_000, 'x'), method: 'PUT' }],
    ['an empty body', 'signed/x', { method: 'DELETE' }],
  ])('signs %s', async (_what, target, options) => {
    expect((await send(target, options)).status).toBe(200);
    expectSigned(last());
  });

  test('replaces a signature of the agent’s', async () => {
    await send('signed/x', { headers: { 'X-SIGNATURE': 't=1,v1=00' } });
    expectSigned(last());
    expect(last().rawHeaders.filter((name) => name.toLowerCase() === 'x-signature')).toHaveLength(1);
  });

  test('does not sign what passes unread: the call is refused and not sent', async () => {
    const before = upstream.requests.length;
    const answer = await send('signed/stream', { method: 'POST', body: 'x' });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect(upstream.requests.length).toBe(before);
    expect(await outcomeOf(gateway, answer.problem().requestId)).toMatchObject({ result: 'not_sent' });
  });
});

describe('aws_sigv4', () => {
  test('signs anew for the upstream, whatever the client signed with', async () => {
    const own = {
      authorization:
        'AWS4-HMAC-SHA256 Credential=X/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00',
      'x-amz-date': '20200101T000000Z',
      'x-amz-security-token': 'of-the-client',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-meta-color': '  red   blue ',
    };
    for (const key of [
      'plain',
      'with%20space',
      'a%2Bb',
      'b%C3%BCcher/%E1%88%B4',
      "it's(1)!*",
      '~tilde',
      'a//b',
      'x=1&y',
    ]) {
      const put = await send(`s3/bucket/${key}`, { method: 'PUT', body: `content of ${key}`, headers: own });
      expect(put.status).toBe(200);
      const got = await send(`s3/bucket/${key}`);
      expect([got.status, got.text]).toEqual([200, `content of ${key}`]);
    }
    expect(s3.requests.at(-1)?.headers['x-amz-security-token']).toBeUndefined();
  });

  test('signs queries as S3 reads them', async () => {
    for (const query of [
      '?b=2&a=1&a=0',
      '?prefix=a%2Fb%20c&list-type=2',
      '?marker=%E1%88%B4',
      '?versioning',
      '?a=x%2By',
    ]) {
      const answer = await send(`s3/${query}`);
      expect(answer.text).not.toContain('SignatureDoesNotMatch');
    }
    expect((await send('s3/bucket/big', { method: 'PUT', body: Buffer.alloc(3_000_000, 'y') })).status).toBe(200);
  });

  test('brings the token of temporary keys, and the hash of the body where S3 wants it', async () => {
    await send('echo/x', { method: 'PUT', body: 'body' });
    expect(last().headers).toMatchObject({
      'x-amz-security-token': TEMPORARY.sessionToken,
      'x-amz-content-sha256': sha256('body'),
      'x-amz-date': expect.stringMatching(/^\d{8}T\d{6}Z$/),
      authorization: expect.stringContaining(
        'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,',
      ),
    });
    await send('dynamodb/', {
      method: 'POST',
      body: '{}',
      headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables' },
    });
    expect(last().headers['x-amz-content-sha256']).toBeUndefined();
    expect(last().headers['authorization']).toContain(
      '/eu-central-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;',
    );
    expect(last().headers['authorization']).toContain('x-amz-target');
  });

  test('keeps the form of uploads in unsigned chunks with trailers', async () => {
    const body = '4\r\nbody\r\n0\r\nx-amz-checksum-crc32:1234\r\n\r\n';
    await send('echo/x', {
      method: 'PUT',
      body,
      headers: {
        'content-encoding': 'aws-chunked',
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-decoded-content-length': '4',
        'x-amz-trailer': 'x-amz-checksum-crc32',
      },
    });
    expect(Buffer.from(last().body).toString()).toBe(body);
    expect(last().headers).toMatchObject({
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '4',
    });
    expect(last().headers['authorization']).toContain('x-amz-decoded-content-length');
  });

  test.each([
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
    'streaming-aws4-hmac-sha256-payload',
  ])('refuses chunks that the client has signed, before anything is recorded: %s', async (word) => {
    const before = upstream.requests.length;
    const headers = { 'x-amz-content-sha256': word };
    const { code, status, detail } = (await send('echo/x', { method: 'PUT', body: 'x', headers })).problem();
    expect([status, code]).toEqual([400, 'target_invalid']);
    expect(detail).toMatch(/chunks/);
    expect(upstream.requests.length).toBe(before);
  });

  test.each(['X-Amz-Signature=0', 'x=1&X-Amz-Credential=a', 'X-Amz-Security-Token=a', 'X%2dAmz-Signature=0'])(
    'refuses a URL that is signed itself: %s',
    async (query) => {
      expect((await send(`echo/x?${query}`)).problem()).toMatchObject({ status: 400, code: 'target_invalid' });
    },
  );
});

test('no key, token or signature is in any log, entry or answer of the control plane', async () => {
  const signature = /Signature=([0-9a-f]{64})/.exec(last().headers['authorization'] ?? '')?.[1] ?? 'none';
  const texts = [
    JSON.stringify(await auditEvents(gateway)),
    gateway.stderr(),
    gateway.stdout(),
    (await control(gateway, 'GET', '/v1/integrations')).text,
    (await control(gateway, 'GET', '/v1/export')).text,
  ];
  for (const text of texts) {
    for (const secret of [HMAC_SECRET, KEYS.secretAccessKey, TEMPORARY.sessionToken, signature]) {
      expect(text.includes(secret)).toBe(false);
    }
  }
});
