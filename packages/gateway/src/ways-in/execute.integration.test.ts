import { gzipSync } from 'node:zlib';
import { answerEcho, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, call, openRaw, postJson } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from '../gateway.fixture.ts';

const SECRET = 'secret-of-the-upstream';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  const network = { ...LOOPBACK, ports: [upstream.port] };
  gateway = await startTestGateway({
    secrets: { token: SECRET },
    integrations: [
      {
        name: 'api',
        baseUrl: `http://upstream.test:${upstream.port}/v1`,
        hosts: ['upstream.test', 'localhost'],
        credential: { type: 'bearer', secret: 'token' },
        network,
        limits: { requestBytes: 4_194_304, responseBytes: 100_000, streamBytes: 200_000 },
        actions: [{ name: 'things.write', methods: ['POST'], paths: ['/v1/things/**'], risk: 'medium' }],
      },
      { name: 'open', baseUrl: upstream.url, network: LOOPBACK, limits: { requestBytes: 17_000_000 } },
    ],
    rules: [{}, { id: 'no-admin', effect: 'deny', hard: true, paths: ['/v1/admin/**'] }],
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

let sentBefore: number;
beforeEach(() => {
  sentBefore = upstream.requests.length;
});
afterEach(() => upstream.answerWith(answerEcho));

const last = () => upstream.requests.at(-1);
const execute = (request: object, more: object = {}): Promise<Answer> =>
  postJson(gateway, '/v1/execute', {
    integration: 'api',
    request: { method: 'POST', path: '/x', ...request },
    ...more,
  });

/** Makes a call that must not reach the upstream. */
async function refuse(request: object, more: object = {}) {
  const answer = await execute(request, more);
  expect(upstream.requests.length).toBe(sentBefore);
  return answer.problem();
}

describe('the answer', () => {
  test('tells status, headers, body, the request id, idempotency and the decision', async () => {
    const answer = await execute({});
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      requestId: answer.headers['postern-request-id'],
      status: 200,
      headers: expect.objectContaining({ 'content-type': 'application/json' }),
      body: expect.objectContaining({ url: '/v1/x' }),
      idempotency: 'none',
      decision: { outcome: 'allow', rule: 'all', reason: expect.any(String) },
    });
    expect(answer.text).not.toContain('postern-key');
  });

  test.each([200, 204, 304, 404, 500])('passes on status %i of the upstream', async (status) => {
    upstream.answerWith((_request, response) => void response.writeHead(status).end());
    const answer = await execute({ method: 'GET' });
    expect(answer.status).toBe(200);
    const { status: passed, ...others } = answer.json();
    expect(passed).toBe(status);
    expect(Object.keys(others).filter((name) => name.startsWith('body'))).toEqual([]);
  });

  test.each<[string, string, Uint8Array, object]>([
    ['JSON', 'application/json', Buffer.from('{"a":[1,null]}'), { body: { a: [1, null] } }],
    ['JSON of a suffix', 'application/problem+json; charset=utf-8', Buffer.from('7'), { body: 7 }],
    ['what only says it is JSON', 'application/json', Buffer.from('{"a":'), { bodyText: '{"a":' }],
    ['text', 'text/plain', Buffer.from('grüß'), { bodyText: 'grüß' }],
    ['text with a byte order mark', 'text/plain', Buffer.from('\ufeffa'), { bodyText: '\ufeffa' }],
    ['bytes that are no UTF-8', 'text/plain', Buffer.from([0xff, 0xfe]), { bodyBase64: '//4=' }],
    ['nothing', 'application/json', Buffer.alloc(0), {}],
  ])('holds %s', async (_what, type, bytes, expected) => {
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'content-type': type }).end(bytes));
    const { body, bodyText, bodyBase64 } = (await execute({})).json();
    expect({ body, bodyText, bodyBase64 }).toEqual({
      body: undefined,
      bodyText: undefined,
      bodyBase64: undefined,
      ...expected,
    });
  });

  test('gives encoded bytes as they came', async () => {
    const bytes = gzipSync('{"a":1}');
    const fields = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    upstream.answerWith((_request, response) => void response.writeHead(200, fields).end(bytes));
    expect((await execute({})).json().bodyBase64).toBe(bytes.toString('base64'));
  });

  test.each([
    '{"id":12345678901234567890,"amount":1.10,"n":1e400}',
    '{"a":1,"a":2}',
    `${'['.repeat(9_000)}${']'.repeat(9_000)}`,
  ])('keeps JSON as it was written: %.40s', async (text) => {
    upstream.answerWith(
      (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(text),
    );
    const answer = await execute({});
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(`"body":${text}`);
  });

  test('lists repeated headers, and leaves out what no response may carry', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(200, [
        'X-A',
        '1',
        'x-a',
        '2',
        'Set-Cookie',
        'a=b',
        'Postern-Request-Id',
        'mine',
        'Connection',
        'X-Hop',
        'X-Hop',
        '1',
      ]);
      response.end();
    });
    const { headers } = (await execute({})).json();
    expect(headers['x-a']).toEqual(['1', '2']);
    expect(Object.keys(headers).filter((name) => /cookie|postern|hop|connection/.test(name))).toEqual([]);
  });

  test('collects an event stream whole, and refuses one that outgrows the limit of collected answers', async () => {
    const stream = (bytes: number) =>
      upstream.answerWith((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('x'.repeat(bytes - 1));
        response.end('\n');
      });
    stream(100_000);
    expect((await execute({})).json().bodyText.length).toBe(100_000);
    stream(100_001);
    const answer = await execute({});
    expect(answer.problem()).toMatchObject({ status: 502, code: 'response_too_large' });
    const [, outcome] = await gateway.entries({ requestId: answer.problem().requestId });
    expect(outcome).toMatchObject({ result: 'failed', code: 'response_too_large' });
  });

  test('to a client that has left is nobody’s: the upstream is let go', async () => {
    upstream.answerWith(() => undefined);
    const before = gateway.calls.length;
    using connection = await openRaw(gateway.port);
    const body = JSON.stringify({ integration: 'api', request: { method: 'POST', path: '/x' } });
    connection.write(
      `POST /v1/execute HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await upstream.waitForRequests(sentBefore + 1);
    connection.socket.destroy();
    await gateway.waitForCalls(before + 1);
    await last()?.ended;
    const [, outcome] = await gateway.entries({ requestId: gateway.calls.at(-1)?.requestId ?? '' });
    expect(outcome).toMatchObject({ result: 'unknown', code: 'client_gone' });
  });
});

describe('the body that is sent', () => {
  test.each<[string, object, string, string | undefined]>([
    ['none', {}, '', undefined],
    ['an object', { body: { b: 1, a: 'ü' } }, '{"b":1,"a":"ü"}', 'application/json'],
    ['null', { body: null }, 'null', 'application/json'],
    ['false', { body: false }, 'false', 'application/json'],
    [
      'an object with its own type',
      { body: { a: 1 }, headers: { 'Content-TYPE': 'application/vnd.x+json' } },
      '{"a":1}',
      'application/vnd.x+json',
    ],
    ['text', { bodyText: 'grüß' }, 'grüß', undefined],
    [
      'bytes',
      { bodyBase64: 'AP9B', headers: { 'content-type': 'application/octet-stream' } },
      '\0\ufffdA',
      'application/octet-stream',
    ],
    ['an empty text', { bodyText: '' }, '', undefined],
  ])('%s', async (_what, request, expected, type) => {
    expect((await execute(request)).status).toBe(200);
    expect(Buffer.from(last()?.body ?? []).toString('utf8')).toBe(expected);
    expect(last()?.headers['content-type']).toBe(type);
    expect(last()?.headers['content-length']).toBe(String(last()?.body.byteLength));
  });

  test('may have exactly the bytes that the integration takes', async () => {
    upstream.answerWith((_request, response) => void response.end());
    expect((await execute({ bodyText: 'x'.repeat(4_194_304) })).status).toBe(200);
    sentBefore = upstream.requests.length;
    expect(await refuse({ bodyText: 'x'.repeat(4_194_305) })).toMatchObject({ status: 413, code: 'request_too_large' });
  });

  test.each([
    ['two bodies', { body: 1, bodyText: 'a' }],
    ['base64 that is none', { bodyBase64: 'a===' }],
    ['neither path nor URL', { path: undefined }],
    ['path and URL', { url: 'http://upstream.test/v1/x' }],
    ['a method in small letters', { method: 'post' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['TRACE', { method: 'TRACE' }],
    ['a member nobody knows', { retries: 3 }],
  ])('is refused with %s', async (_what, request) => {
    expect(await refuse(request)).toMatchObject({ status: 422, code: 'validation_failed' });
  });
});

describe('the headers that are sent', () => {
  test('are the given ones less those no caller sets', async () => {
    const headers = {
      Accept: 'a/b',
      'X-List': ['1', '2'],
      Authorization: 'Bearer mine',
      Host: 'evil.test',
      'Content-Length': '999',
      'Transfer-Encoding': 'chunked',
      Connection: 'X-Named, authorization, host',
      'X-Named': '1',
      Cookie: 'a=b',
      'X-Forwarded-For': '1.2.3.4',
      'Postern-Any': '1',
      Via: '1.0 other',
      Traceparent: 'none',
      X_Under: '1',
    };
    expect((await execute({ headers, bodyText: 'abc' })).status).toBe(200);
    expect(last()?.headers).toMatchObject({
      accept: 'a/b',
      'x-list': '1, 2',
      authorization: `Bearer ${SECRET}`,
      host: `upstream.test:${upstream.port}`,
      'content-length': '3',
      via: '1.1 postern-test',
    });
    const names = Object.keys(last()?.headers ?? {});
    expect(names.filter((name) => /named|cookie|forwarded|postern|transfer|under/.test(name))).toEqual([]);
  });

  test.each([
    ['a line break in a value', { 'X-A': '1\r\nX-B: 2' }],
    ['a line feed in a value', { 'X-A': '1\nX-B: 2' }],
    ['a NUL in a value', { 'X-A': '1\0' }],
    ['a character above ASCII in a value', { 'X-A': 'ü' }],
    ['a line break in one of several values', { 'X-A': ['1', '2\r\n'] }],
    ['a line break in a name', { 'X-A\r\nX-B': '1' }],
    ['a colon in a name', { 'X-A:': '1' }],
    ['a space in a name', { 'X A': '1' }],
    ['no name', { '': '1' }],
    ['a number as value', { 'X-A': 1 }],
  ])('are refused with %s', async (_what, headers) => {
    const problem = await refuse({ headers });
    expect(problem).toMatchObject({ status: 422, code: 'validation_failed' });
    expect(problem.issues?.[0]?.field).toMatch(/^request\.headers/);
  });
});

describe('the target', () => {
  const at = (rest: string) => `http://upstream.test:${upstream.port}${rest}`;

  test.each<[string, object, string]>([
    ['a path under the base', { path: '/a/../b' }, '/v1/b'],
    ['no path', { path: '' }, '/v1'],
    ['a path with letters of all kinds', { path: '/ü/日' }, '/v1/%C3%BC/%E6%97%A5'],
    ['a query beside the path', { query: { a: '1', b: ['2', '3 &'] } }, '/v1/x?a=1&b=2&b=3%20%26'],
    ['a query behind that of the path', { path: '/x?a=1', query: { b: '=?#/' } }, '/v1/x?a=1&b=%3D%3F%23%2F'],
    ['an empty list in the query', { query: { a: [] } }, '/v1/x'],
  ])('%s', async (_what, request, url) => {
    expect((await execute({ method: 'GET', ...request })).status).toBe(200);
    expect(last()?.url).toBe(url);
  });

  test('may be a URL on a listed host: under the base path on the base host, anywhere on another', async () => {
    expect((await execute({ path: undefined, url: at('/v1/a?b=1'), query: { c: '2' } })).status).toBe(200);
    expect(last()?.url).toBe('/v1/a?b=1&c=2');
    expect((await execute({ path: undefined, url: `http://LOCALHOST.:${upstream.port}/elsewhere` })).status).toBe(200);
    expect(last()).toMatchObject({ url: '/elsewhere', headers: { host: `localhost:${upstream.port}` } });
  });

  test.each<[string, () => object]>([
    ['a host that is not listed', () => ({ url: `http://127.0.0.1:${upstream.port}/v1/x` })],
    ['the base host outside the base path', () => ({ url: at('/v1evil') })],
    ['the base host above the base path', () => ({ url: at('/v1/../x') })],
    ['the base host, encoded out of the base path', () => ({ url: at('/v1/%2e%2e/x') })],
    ['another scheme', () => ({ url: at('/v1/x').replace('http', 'https') })],
    ['another port', () => ({ url: 'http://upstream.test/v1/x' })],
    ['userinfo', () => ({ url: at('/v1/x').replace('//', '//a:b@') })],
    ['a fragment', () => ({ url: at('/v1/x#a') })],
    ['a relative URL', () => ({ url: '/v1/x' })],
    ['a host to be guessed', () => ({ url: at('/v1/x').replace('upstream.test', 'upstream.test\\@evil.test') })],
    ['a path that is none', () => ({ path: 'x' })],
    ['a path out of the base', () => ({ path: '/../x' })],
    ['a path with a hidden dot segment', () => ({ path: '/a/..%2fb' })],
    ['a path with a control character', () => ({ path: '/a\u0007' })],
    ['a path with a line break', () => ({ path: '/a\r\nHost: b' })],
    ['a path of 8 KiB and more', () => ({ path: `/${'a'.repeat(8_191)}` })],
  ])('is refused: %s', async (_what, request) => {
    expect(await refuse({ path: undefined, ...request() })).toMatchObject({ status: 400, code: 'target_invalid' });
  });
});

describe('the document', () => {
  const send = (body: string | Uint8Array, type = 'application/json') =>
    call(gateway, '/v1/execute', { method: 'POST', headers: { 'content-type': type }, body });

  test.each<[string, string | Uint8Array, number, string]>([
    ['nothing', '', 400, 'malformed_request'],
    ['no JSON', '{"integration":', 400, 'malformed_request'],
    ['two members of one name', '{"integration":"api","integration":"open"}', 400, 'malformed_request'],
    [
      'a number that loses digits',
      '{"integration":"api","request":{"method":"POST","path":"/x","body":12345678901234567890}}',
      400,
      'malformed_request',
    ],
    ['a lone surrogate', '{"integration":"\\ud800"}', 400, 'malformed_request'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400, 'malformed_request'],
    ['JSON too deep', `${'['.repeat(200)}${']'.repeat(200)}`, 400, 'malformed_request'],
    ['a list', '[]', 422, 'validation_failed'],
    [
      'an unknown member',
      '{"integration":"api","request":{"method":"GET","path":"/x"},"dryRun":true}',
      422,
      'validation_failed',
    ],
    [
      'a prototype',
      '{"integration":"api","request":{"method":"GET","path":"/x","__proto__":{"a":1}}}',
      422,
      'validation_failed',
    ],
  ])('%s is refused', async (_what, body, status, code) => {
    expect((await send(body)).problem()).toMatchObject({ status, code });
    expect(upstream.requests.length).toBe(sentBefore);
  });

  test.each([
    ['application/json; charset=utf-8', 200],
    ['Application/JSON', 200],
    ['application/json5', 415],
    ['text/plain', 415],
    ['', 415],
  ])('of type "%s" is answered with %i', async (type, status) => {
    const text = JSON.stringify({ integration: 'api', request: { method: 'GET', path: '/x' } });
    expect((await send(text, type)).status).toBe(status);
  });

  test('may have 16 MiB, and no byte more', async () => {
    const document = (bytes: number) => {
      const text = JSON.stringify({ integration: 'open', request: { method: 'POST', path: '/x', bodyText: '' } });
      return text.replace('""', `"${'x'.repeat(bytes - text.length)}"`);
    };
    const whole = document(16_777_216);
    upstream.answerWith((_request, response) => void response.end());
    expect((await send(whole)).status).toBe(200);
    expect(last()?.body.byteLength).toBeGreaterThan(16_777_000);
    sentBefore = upstream.requests.length;
    expect((await send(document(16_777_217))).problem()).toMatchObject({ status: 413, code: 'request_too_large' });
    expect(upstream.requests.length).toBe(sentBefore);
  });
});
