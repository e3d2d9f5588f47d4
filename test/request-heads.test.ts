import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, exchangeRaw, sendRaw } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const auth = `Postern-Key: ${coder.key}\r\n`;
const close = 'Connection: close\r\n';

let upstream: Upstream;
let gateway: RunningGateway;
/** What a client gets that never ends its head; it takes as long as all other tests here. */
let slow: Promise<{ text: string; seconds: number }>;

beforeAll(async () => {
  upstream = await startUpstream();
  const environment = { POSTERN_PUBLIC_URL: 'https://gateway.example.com/postern' };
  gateway = await startGateway({ config: configOf([coder], [integration('api', upstream.url)]), environment });
  const startedMs = performance.now();
  slow = exchangeRaw(gateway.dataUrl, `GET /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}X-Never-`).then((bytes) => ({
    text: bytes.toString('latin1'),
    seconds: (performance.now() - startedMs) / 1_000,
  }));
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

/** A well-formed call but for what the test puts in. */
const raw = (fields: string, line = 'GET /to/api/x HTTP/1.1') =>
  sendRaw(gateway.dataUrl, `${line}\r\n${fields}${auth}${close}\r\n`);

describe('the host a request is for', () => {
  test.each([
    'localhost',
    'LOCALHOST:1234',
    '127.0.0.1',
    '127.0.0.1:8080',
    '10.1.2.3',
    '[::1]:80',
    'gateway.example.com',
  ])('the gateway answers for %s', async (host) => {
    expect((await raw(`Host: ${host}\r\n`)).status).toBe(200);
  });

  test.each([
    'evil.test',
    'evil.test:80',
    'localhost.evil.test',
    'sub.gateway.example.com',
    'notgateway.example.com',
    '127.0.0.1.nip.test',
  ])('421 for %s', async (host) => {
    const answer = await raw(`Host: ${host}\r\n`);
    expect(answer.problem()).toMatchObject({ status: 421, code: 'unknown_host' });
  });

  test('421 comes before 401, and for every path', async () => {
    const bare = 'Host: evil.test\r\nConnection: close\r\n\r\n';
    for (const path of ['/to/api/x', '/healthz', '/v1/whoami', '/nothing']) {
      expect((await sendRaw(gateway.dataUrl, `GET ${path} HTTP/1.1\r\n${bare}`)).problem().code).toBe('unknown_host');
    }
  });

  test.each([
    ['two', 'Host: localhost\r\nHost: localhost\r\n'],
    ['two different', 'Host: localhost\r\nhost: evil.test\r\n'],
    ['none', ''],
    ['an empty one', 'Host: \r\n'],
    ['a list', 'Host: localhost, evil.test\r\n'],
    ['one with userinfo', 'Host: localhost@evil.test\r\n'],
    ['one with a path', 'Host: localhost/evil\r\n'],
  ])('400 for %s', async (_what, fields) => {
    expect((await raw(fields)).problem()).toMatchObject({ status: 400, code: 'malformed_request' });
  });

  test('of a target in absolute form the authority counts, not Host', async () => {
    const absolute = (authority: string) => `GET http://${authority}/to/api/y?z=1 HTTP/1.1`;
    expect((await raw('Host: evil.test\r\n', absolute('localhost'))).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/y?z=1');
    expect((await raw('Host: localhost\r\n', absolute('evil.test'))).problem().code).toBe('unknown_host');
    expect((await raw('Host: localhost\r\n', absolute('localhost@evil.test'))).problem().status).toBe(400);
    expect((await raw('Host: localhost\r\nHost: localhost\r\n', absolute('localhost'))).problem().status).toBe(400);
  });
});

describe('the limits of a head', () => {
  const urlOf = (bytes: number) => `/to/api/${'a'.repeat(bytes - '/to/api/'.length)}`;

  test('a URL of 8 KiB passes, one byte more does not', async () => {
    expect((await raw('Host: localhost\r\n', `GET ${urlOf(8_192 - upstream.url.length)} HTTP/1.1`)).status).toBe(200);
    const before = upstream.requests.length;
    const answer = await raw('Host: localhost\r\n', `GET ${urlOf(8_193)} HTTP/1.1`);
    expect([400, 431]).toContain(answer.problem().status);
    expect(upstream.requests.length).toBe(before);
  });

  test('100 fields pass, 101 do not', async () => {
    const fields = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join('');
    // Host, Postern-Key and Connection make the hundred full.
    expect((await raw(`Host: localhost\r\n${fields(97)}`)).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['x-96']).toBe('1');
    const answer = await raw(`Host: localhost\r\n${fields(98)}`);
    expect(answer.problem()).toMatchObject({ status: 431, code: 'headers_too_large' });
  });

  test('a head of 32 KiB passes, a longer one is 431', async () => {
    // The gateway's own, since an upstream may take less.
    const line = 'GET /v1/whoami HTTP/1.1';
    const others = Buffer.byteLength(`${line}\r\nHost: localhost\r\nX-Long: \r\n${auth}${close}\r\n`);
    const long = (bytes: number) => raw(`Host: localhost\r\nX-Long: ${'a'.repeat(bytes - others)}\r\n`, line);
    expect((await long(32_768)).status).toBe(200);
    const answer = await long(33_000);
    expect(answer.problem()).toMatchObject({ status: 431, code: 'headers_too_large' });
    expect(answer.headers['postern-request-id']).toBe(answer.problem().requestId);
  });
});

describe('what is no request', () => {
  test.each([
    ['noise', 'hello\r\n\r\n'],
    ['another protocol', 'GET / HTTP/3.0\r\nHost: localhost\r\n\r\n'],
    ['TLS on a cleartext port', '\x16\x03\x01\x02\x00\x01\x00'],
    ['a field without a colon', `GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n`],
    ['a space before the colon', `GET /to/api/x HTTP/1.1\r\nHost : localhost\r\n\r\n`],
    ['a folded field', `GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n${auth}\r\n`],
    ['a bare line feed in a value', `GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nX-A: b\nX-B: c\r\n${auth}\r\n`],
    ['a NUL in a value', `GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nX-A: b\0c\r\n${auth}\r\n`],
    ['an unknown method', `BREW /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`],
    ['a relative target', `GET to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}${close}\r\n`],
    ['another scheme', `GET ftp://localhost/to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}${close}\r\n`],
    ['a space in the target', `GET /to/api/x y HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`],
    [
      'two lengths',
      `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    ],
    ['a negative length', `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: -1\r\n\r\n`],
    ['a length that is no number', `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: 1x\r\n\r\na`],
    [
      'a length and chunks',
      `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'a coding that is not chunked at last',
      `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
    ],
    [
      'an unknown coding',
      `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'bad chunks',
      `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}Transfer-Encoding: chunked\r\n\r\nzz\r\na\r\n`,
    ],
  ])('400 for %s, and nothing is sent', async (_what, bytes) => {
    const before = upstream.requests.length;
    const answer = await sendRaw(gateway.dataUrl, bytes);
    expect(answer.problem()).toMatchObject({ status: 400, code: 'malformed_request' });
    expect(answer.headers['postern-request-id']).toBe(answer.problem().requestId);
    expect(upstream.requests.length).toBe(before);
  });

  test('after a request that is refused unread, what follows on the connection is no request', async () => {
    const smuggled = `GET /to/api/smuggled HTTP/1.1\r\nHost: localhost\r\n${auth}${close}\r\n`;
    const before = upstream.requests.length;
    const bytes = `POST /to/nothing/x HTTP/1.1\r\nHost: localhost\r\n${auth}Content-Length: 100000\r\n\r\n${smuggled}`;
    const text = (await exchangeRaw(gateway.dataUrl, bytes)).toString('latin1');
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(text).toMatch(/^HTTP\/1\.1 404 /);
    expect(text.toLowerCase()).toContain('\r\nconnection: close\r\n');
    expect(upstream.requests.length).toBe(before);
  });
});

describe('expectations and upgrades', () => {
  test.each([
    ['websocket', 501],
    ['foo/1', 501],
  ])('an upgrade to %s is %i', async (protocol, status) => {
    const before = upstream.requests.length;
    const answer = await raw(`Host: localhost\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n`);
    expect(answer.problem()).toMatchObject({ status, code: 'upgrade_unsupported' });
    expect(upstream.requests.length).toBe(before);
  });

  test('CONNECT is refused and opens no tunnel', async () => {
    const answer = await sendRaw(
      gateway.dataUrl,
      `CONNECT 127.0.0.1:${upstream.port} HTTP/1.1\r\nHost: 127.0.0.1:${upstream.port}\r\n${auth}\r\nGET / HTTP/1.1\r\n\r\n`,
    );
    expect(answer.problem().status).toBeGreaterThanOrEqual(400);
    expect(upstream.requests.every(({ url }) => url !== '/')).toBe(true);
  });

  test('TRACE is not forwarded', async () => {
    const before = upstream.requests.length;
    expect((await raw('Host: localhost\r\n', 'TRACE /to/api/x HTTP/1.1')).problem().status).toBe(405);
    expect(upstream.requests.length).toBe(before);
  });

  test('a body that waits for 100 is asked for once the call may go on', async () => {
    const bytes = `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\n${auth}${close}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`;
    const text = (await exchangeRaw(gateway.dataUrl, bytes)).toString('latin1');
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(Buffer.from(upstream.requests.at(-1)?.body ?? []).toString()).toBe('hello');
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('expect');
  });

  test.each([
    ['an unknown integration', '/to/nothing/x', 5, 404],
    ['a body that is announced too large', '/to/api/x', 10_485_761, 413],
  ])('a body that waits for 100 is not asked for: %s', async (_why, path, length, status) => {
    const bytes = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${auth}${close}Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    const text = (await exchangeRaw(gateway.dataUrl, bytes)).toString('latin1');
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test('another expectation is refused with a problem', async () => {
    const answer = await raw('Host: localhost\r\nExpect: teapot\r\n');
    expect(answer.problem().status).toBeGreaterThanOrEqual(400);
  });
});

test('two requests on one connection, the second sent before the first is answered, are both answered in order', async () => {
  const one = `GET /to/api/first HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`;
  const two = `GET /to/api/second HTTP/1.1\r\nHost: localhost\r\n${auth}${close}\r\n`;
  const text = (await exchangeRaw(gateway.dataUrl, one + two)).toString('latin1');
  expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  expect(text.indexOf('/first')).toBeLessThan(text.indexOf('/second'));
});

describe('the host of the control plane', () => {
  const answer = (fields: string, target = '/healthz') =>
    sendRaw(gateway.adminUrl, `GET ${target} HTTP/1.1\r\n${fields}${close}\r\n`);

  test.each(['localhost', '127.0.0.1:80', '[::1]'])('it answers for %s', async (host) => {
    expect((await answer(`Host: ${host}\r\n`)).status).toBe(200);
  });

  test.each(['evil.test', '10.1.2.3', 'gateway.example.com', 'localhost.evil.test'])('421 for %s', async (host) => {
    expect((await answer(`Host: ${host}\r\n`)).problem()).toMatchObject({ status: 421, code: 'unknown_host' });
    expect((await answer('Host: localhost\r\n', `http://${host}/healthz`)).problem().code).toBe('unknown_host');
  });

  test('400 for none and for two', async () => {
    expect((await answer('')).status).toBe(400);
    expect((await answer('Host: localhost\r\nHost: evil.test\r\n')).status).toBe(400);
  });
});

test('a head that does not arrive in 10 s is 408', async () => {
  const { text, seconds } = await slow;
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'request_timeout', retryable: true });
  expect(seconds).toBeGreaterThan(9);
  expect(seconds).toBeLessThan(14);
});

test('an unknown path is 404, a wrong method 405, both as problems', async () => {
  expect((await call(gateway.dataUrl, '/')).problem()).toMatchObject({ status: 404, code: 'not_found' });
  expect((await call(gateway.dataUrl, '/v1/execute')).problem()).toMatchObject({
    status: 405,
    code: 'method_not_allowed',
  });
  expect((await call(gateway.dataUrl, '/healthz', { method: 'POST' })).problem().status).toBe(405);
});
