import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, sendRaw } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

let upstream: Upstream;
let other: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  other = await startUpstream();
  const integrations = [
    integration('api', `${upstream.url}/v1`, {
      actions: [{ name: 'admin', methods: ['GET'], paths: ['/v1/admin/**'] }],
    }),
    integration('root', upstream.url),
  ];
  const rules = [
    { id: 'all', effect: 'allow' },
    { id: 'no-admin', effect: 'deny', actions: ['admin'] },
    { id: 'no-secrets', effect: 'deny', hard: true, paths: ['/v1/secrets/**'] },
  ];
  gateway = await startGateway({ config: configOf([coder], integrations, { rules }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await other?.close();
});

const key = { 'postern-key': coder.key };
const get = (path: string) => call(gateway.dataUrl, path, { headers: key });
const document = (request: object) => ({
  headers: { ...key, 'content-type': 'application/json' },
  body: JSON.stringify({ integration: 'api', request: { method: 'GET', ...request } }),
});
const execute = (request: object) => call(gateway.dataUrl, '/v1/execute', document(request));
const explain = (request: object) => call(gateway.dataUrl, '/v1/explain', document(request));

async function expectInvalid(send: () => ReturnType<typeof call>): Promise<void> {
  const before = upstream.requests.length;
  const answer = await send();
  expect(answer.problem()).toMatchObject({ status: 400, code: 'target_invalid' });
  expect(upstream.requests.length).toBe(before);
}

describe('what was judged is what is sent, byte for byte', () => {
  test.each([
    ['', '/v1'],
    ['/', '/v1/'],
    ['?a=b', '/v1?a=b'],
    ['?', '/v1?'],
    ['/evil', '/v1/evil'],
    ['/a/../b', '/v1/b'],
    ['/a/%2e%2E/b', '/v1/b'],
    ['/./a/.', '/v1/a/'],
    ['/../v1/x', '/v1/x'],
    ['/a%2fb%5Cc', '/v1/a%2fb%5Cc'],
    ['/%252e%252ex', '/v1/%252e%252ex'],
    ['/%61%7e%c3%bc', '/v1/a~%C3%BC'],
    ['/a;b=c,d/e;f', '/v1/a;b=c,d/e;f'],
    ['//host.test/x', '/v1//host.test/x'],
    ['/http://host.test/', '/v1/http://host.test/'],
    ['/a@b:c', '/v1/a@b:c'],
    ['/x?q=../..&r=%2e%2e%2f&s=a+b%20c', '/v1/x?q=../..&r=..%2F&s=a+b%20c'],
    ['/x?b=2&a=1&b=1&&=', '/v1/x?b=2&a=1&b=1&&='],
    ["/x?q=it's", '/v1/x?q=it%27s'],
  ])('/to/api%s reaches the upstream as %s', async (path, sent) => {
    expect((await get(`/to/api${path}`)).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(sent);
    const explained = await explain({ path });
    expect(explained.json().descriptor.url).toBe(upstream.url + sent);
    expect((await execute({ path })).json().status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(sent);
  });

  test('text outside ASCII in a document is sent as encoded UTF-8', async () => {
    expect((await execute({ path: '/bücher', query: { 'ä b': ['ö&=', '+'] } })).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/v1/b%C3%BCcher?%C3%A4%20b=%C3%B6%26%3D&%C3%A4%20b=%2B');
  });
});

describe('the base path /v1 is not left (acceptance vector 6)', () => {
  test.each([
    '/..',
    '/../x',
    '/../v1evil',
    '/../../v1/../x',
    '/%2e%2e/x',
    '/%2E%2e',
    '/.%2e/x',
    '/a/../../x',
    '/..%2fx',
    '/..%5cx',
    '/a%2f..%2f..%2fx',
    '/%2e%2e%2fx',
    '/a%5c%2E%2E%5Cx',
    '/..;/x',
    '/..;a=b/x',
    '/%2e%2e%3bx/y',
    '/a%00b',
    '/a%0d%0ab',
    '/a%7f',
    '/%c0%ae%c0%ae/x',
    '/%',
    '/%zz',
    '/%u002e/x',
  ])('/to/api%s is refused', async (path) => {
    await expectInvalid(() => get(`/to/api${path}`));
    await expectInvalid(() => execute({ path }));
  });

  test.each([
    'evil',
    '.evil.test/',
    '@evil.test/',
    ':80/x',
    '#x',
    '/a b',
    '/a\\b',
    '/a\nb',
    '/a\tb',
    '/..\t/x',
    '/\u0000',
  ])('the path %j of a document is refused', async (path) => {
    await expectInvalid(() => execute({ path }));
  });

  test('a document’s URL must lie under the base URL', async () => {
    const origin = upstream.url;
    const authority = origin.slice('http://'.length);
    expect((await execute({ url: `${origin}/v1/x?y=1` })).json().status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/v1/x?y=1');
    expect((await execute({ url: `HTTP://${authority}/a/../v1/x` })).json().status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/v1/x');
    const refused = [
      origin,
      `${origin}/`,
      `${origin}/v1evil`,
      `${origin}/v1%2fx`,
      `${origin}/V1/x`,
      `${origin}//v1/x`,
      `${origin}/v1/../x`,
      `${origin}/v1/%2e%2e/x`,
      `${origin}/v1/..%2fx`,
      `${origin}/v1/x#y`,
      `${other.url}/v1/x`,
      `https://${authority}/v1/x`,
      'http://127.0.0.1/v1/x',
      `http://user@${authority}/v1/x`,
      `http://user:password@${authority}/v1/x`,
      `http://@${authority}/v1/x`,
      `http://${authority}@evil.test/v1/x`,
      `http://${authority}.evil.test/v1/x`,
      `http://evil.test/v1/x`,
      `http://localhost:${upstream.port}/v1/x`,
      `http://127.0.0.2:${upstream.port}/v1/x`,
      `http://%31%32%37.0.0.1:${upstream.port}/v1/x`,
      `http:/${authority}/v1/x`,
      `http:${authority}/v1/x`,
      `//${authority}/v1/x`,
      `http:\\\\${authority}\\v1\\x`,
      'file:///etc/passwd',
    ];
    for (const url of refused) await expectInvalid(() => execute({ url }));
    expect(other.requests).toHaveLength(0);
  });

  test.each([
    ['a raw backslash', '/to/api/..\\x'],
    ['a fragment', '/to/api/x#y'],
    ['a byte outside ASCII', '/to/api/\xe9'],
  ])('%s on the request line is refused', async (_what, target) => {
    const before = upstream.requests.length;
    const answer = await sendRaw(
      gateway.dataUrl,
      `GET ${target} HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.problem().status).toBe(400);
    expect(upstream.requests.length).toBe(before);
  });

  test.each([
    ['evil', 404, 'unknown_integration'],
    ['API', 404, 'unknown_integration'],
    ['ap%69', 404, 'unknown_integration'],
    ['apievil', 404, 'unknown_integration'],
    ['..', 404, 'unknown_integration'],
    ['', 404, 'unknown_integration'],
    ['__proto__', 404, 'unknown_integration'],
    ['constructor', 404, 'unknown_integration'],
  ])('the integration %j is not known', async (name, status, code) => {
    expect((await get(`/to/${name}/x`)).problem()).toMatchObject({ status, code });
  });
});

describe('rules see the canonical path', () => {
  test.each([
    '/secrets',
    '/secrets/',
    '/secrets/a/b',
    '/%73ecrets/a',
    '/s%65crets',
    '/x/../secrets/a',
    '/x/%2e%2e/secrets',
    '/./secrets/a?x',
    '/../v1/secrets/a',
    '/admin/a',
    '/%61dmin/a',
  ])('%s is denied in every spelling', async (path) => {
    const before = upstream.requests.length;
    const answer = await get(`/to/api${path}`);
    expect(answer.problem()).toMatchObject({ status: 403, code: 'denied', decision: 'deny' });
    expect(answer.text).not.toMatch(/no-secrets|no-admin/);
    expect((await execute({ path })).problem().code).toBe('denied');
    expect((await explain({ path })).json()).toMatchObject({ decision: 'deny' });
    expect((await execute({ url: `${upstream.url}/v1${path}` })).problem().code).toBe('denied');
    expect(upstream.requests.length).toBe(before);
  });

  test.each(['/secretsx', '/x/secrets'])('%s is another path', async (path) => {
    expect((await get(`/to/api${path}`)).status).toBe(200);
  });

  test.each(['/Secrets', '//secrets', '/%252e%252e/x'])('%s is denied too: some upstreams read it so', async (path) => {
    expect((await get(`/to/api${path}`)).problem()).toMatchObject({ status: 403, code: 'denied' });
  });

  test.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])(
    '%s does not make a read a write on the other side',
    async (name) => {
      expect((await call(gateway.dataUrl, '/to/api/x', { headers: { ...key, [name]: 'DELETE' } })).status).toBe(200);
      expect(upstream.requests.at(-1)?.headers).not.toHaveProperty(name.toLowerCase());
    },
  );

  test('a base URL without a path takes every path', async () => {
    expect((await get('/to/root/v1evil/../a')).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/a');
    expect((await get('/to/root/../../a')).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/a');
  });
});
