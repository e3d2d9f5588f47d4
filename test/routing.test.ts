import type { ServerResponse } from 'node:http';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditEvents, control, outcomeOf } from './support/audit-log.ts';
import { type CallOptions, call, sendRaw } from './support/http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const stranger = newAgent('stranger');

let upstream: Upstream;
let other: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  other = await startUpstream();
  const integrations = [
    integration('api', `${upstream.url}/v1`, { listen: '127.0.0.1:0' }),
    integration('GitHub', other.url),
    integration('twin', upstream.url),
    integration('Twin', other.url),
    integration('Case', upstream.url),
    integration('cASE', other.url),
    integration('a.b_c', upstream.url),
    integration('off', upstream.url, { disabled: true }),
  ];
  const rules = [ALLOW_ALL, { id: 'no-secrets', effect: 'deny', hard: true, paths: ['/v1/secrets/**'] }];
  gateway = await startGateway({ config: configOf([coder, stranger], integrations, { rules }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await other?.close();
});

beforeEach(() => {
  upstream.answerWith((request, response) => void response.end(`${request.method} ${request.url}`));
  other.answerWith((request, response) => void response.end(`other ${request.url}`));
});

const key = { 'postern-key': coder.key };
const at = (host: string, path: string, options: CallOptions = {}) =>
  call(gateway.dataUrl, path, { ...options, headers: { ...key, ...options.headers, host } });
const listed = async (name: string) => {
  const { items } = (await call(gateway.dataUrl, '/v1/integrations', { headers: key })).json();
  return items.find((item: { name: string }) => item.name === name);
};
const raw = (target: string, host: string) =>
  sendRaw(
    gateway.dataUrl,
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nPostern-Key: ${coder.key}\r\nConnection: close\r\n\r\n`,
  );

describe('by host', () => {
  test.each([
    ['/', '/v1/'],
    ['/x?y=1', '/v1/x?y=1'],
    ['/?y', '/v1/?y'],
    ['/v1/execute', '/v1/v1/execute'],
    ['/v1/integrations', '/v1/v1/integrations'],
    ['/healthz', '/v1/healthz'],
    ['/readyz', '/v1/readyz'],
    ['/to/api/x', '/v1/to/api/x'],
    ['/to/GitHub/x', '/v1/to/GitHub/x'],
    ['//host.test/x', '/v1//host.test/x'],
    ['/a/../b', '/v1/b'],
  ])('%s is the upstream’s, and no path is the gateway’s', async (path, sent) => {
    const answer = await at('api.to.localhost', path);
    expect([answer.status, answer.text]).toEqual([200, `GET ${sent}`]);
    expect(answer.headers['postern-request-id']).toBeTruthy();
  });

  test('a document for execute is a body like any other there', async () => {
    const document = JSON.stringify({ integration: 'GitHub', request: { method: 'GET', path: '/' } });
    const answer = await at('api.to.localhost', '/v1/execute', {
      body: document,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.text).toBe('POST /v1/v1/execute');
    expect(Buffer.from(upstream.requests.at(-1)?.body ?? []).toString()).toBe(document);
  });

  test.each([
    'api.to.localhost:1',
    'api.to.localhost:65535',
    'API.To.LOCALHOST',
    'api.to.localhost.',
    'Api.to.localhost.:8080',
  ])('%s is the same host', async (host) => {
    expect((await at(host, '/x')).text).toBe('GET /v1/x');
  });

  test('the name of an integration is found in any case, and is its own in records', async () => {
    const answer = await at('github.to.localhost', '/x');
    expect(answer.text).toBe('other /x');
    expect(await outcomeOf(gateway, answer.headers['postern-request-id'])).toMatchObject({ integration: 'GitHub' });
    expect((await at('GITHUB.to.localhost', '/x')).text).toBe('other /x');
    expect((await at('a.b_c.to.localhost', '/x')).text).toBe('GET /x');
  });

  test('of two names that differ in case alone, the one in lower case has the host, else neither', async () => {
    expect((await at('Twin.to.localhost', '/x')).text).toBe('GET /x');
    expect((await at('case.to.localhost', '/x')).problem()).toMatchObject({ status: 404, code: 'unknown_integration' });
    expect(await listed('twin')).toMatchObject({ host: 'twin.to.localhost' });
    for (const name of ['Twin', 'Case', 'cASE']) expect(await listed(name)).not.toHaveProperty('host');
  });

  test('the authority of an absolute-form target counts, not Host', async () => {
    expect((await raw('http://api.to.localhost/x', 'evil.test')).text).toContain('GET /v1/x');
    expect((await raw('http://API.to.localhost.:99/x', 'github.to.localhost')).text).toContain('GET /v1/x');
    expect((await raw('http://localhost/to/api/x', 'github.to.localhost')).text).toContain('GET /v1/x');
    expect((await raw('http://api.to.localhost', 'localhost')).text).toContain('GET /v1/');
    expect((await raw('http://evil.test/x', 'api.to.localhost')).problem()).toMatchObject({ status: 421 });
    expect((await raw('http://a@api.to.localhost/x', 'api.to.localhost')).problem()).toMatchObject({ status: 400 });
  });

  test.each(['nothing', 'ap', 'xapi', 'api.api', 'api-', 'constructor', 'a..b'])(
    'the integration %s is not known, which only a known agent learns',
    async (name) => {
      const problem = (await at(`${name}.to.localhost`, '/x')).problem();
      expect(problem).toMatchObject({ status: 404, code: 'unknown_integration' });
      const unauthenticated = await call(gateway.dataUrl, '/x', { headers: { host: `${name}.to.localhost` } });
      expect(unauthenticated.problem()).toMatchObject({ status: 401, code: 'unauthenticated' });
    },
  );

  test.each(['api.to.localhost.evil.test', 'api.localhost', 'apito.localhost', '.to.localhost', '-api.to.localhost'])(
    'the host %s is nobody’s',
    async (host) => {
      expect((await at(host, '/x')).problem()).toMatchObject({ status: 421, code: 'unknown_host' });
    },
  );

  test('the bare suffix is the gateway itself', async () => {
    expect((await at('to.localhost', '/healthz')).json()).toEqual({ status: 'ok' });
    expect((await at('to.localhost:80', '/to/api/x')).text).toBe('GET /v1/x');
  });

  test('a disabled integration is disabled', async () => {
    expect((await at('off.to.localhost', '/x')).problem()).toMatchObject({ status: 403, code: 'integration_disabled' });
  });

  test('rules see the same canonical path, and the base path is not left', async () => {
    for (const path of ['/secrets/a', '/x/../secrets', '/%73ecrets/a'])
      expect((await at('api.to.localhost', path)).problem()).toMatchObject({ status: 403, code: 'denied' });
    const before = upstream.requests.length;
    for (const path of ['/..', '/../x', '/../v1evil', '/%2e%2e/x', '/..%2fx', '/..%5cx', '/a%00b'])
      expect((await at('api.to.localhost', path)).problem()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect(upstream.requests.length).toBe(before);
  });

  test('an agent key in the host is refused and not noted', async () => {
    expect((await raw(`http://${stranger.key}.to.localhost/x`, 'api.to.localhost')).problem()).toMatchObject({
      status: 400,
      code: 'key_in_request',
    });
    const entries = JSON.stringify(await auditEvents(gateway, { type: 'violation' }));
    expect(entries.toLowerCase() + gateway.stderr().toLowerCase()).not.toContain(stranger.key.slice(15).toLowerCase());
  });

  test('the list tells the host of each integration', async () => {
    expect(await listed('api')).toMatchObject({ baseUrl: `${gateway.dataUrl}/to/api`, host: 'api.to.localhost' });
    expect(await listed('GitHub')).toMatchObject({ host: 'github.to.localhost' });
    expect(await listed('GitHub')).not.toHaveProperty('listen');
  });
});

describe('links lead back by the way the call came', () => {
  const port = () => new URL(gateway.dataUrl).port;
  const own = async () => `http://${(await listed('api')).listen}`;
  const ways: [string, () => Promise<string>, (path: string) => ReturnType<typeof call>][] = [
    [
      'the base URL',
      async () => `${gateway.dataUrl}/to/api`,
      (path) => call(gateway.dataUrl, `/to/api${path}`, { headers: key }),
    ],
    ['host', async () => `http://api.to.localhost:${port()}`, (path) => at('API.TO.localhost.:1234', path)],
    ['own address', own, async (path) => call(await own(), path, { headers: { ...key, host: 'evil.test:99' } })],
  ];
  const headers = (more: Record<string, string | string[]>) => (_request: unknown, response: ServerResponse) =>
    void response.writeHead(200, more).end();

  test.each(ways)('by %s', async (_way, base, send) => {
    const prefix = await base();
    upstream.answerWith(
      headers({
        link: `<${upstream.url}/v1/items?page=2>; rel="next", <${upstream.url}/other>; rel="up", </v1/items?page=9>; rel="last"`,
        'content-location': '/v1/items/1',
        location: `${upstream.url}/v1/items/2#x`,
      }),
    );
    const answer = await send('/items');
    expect(answer.headers['link']).toBe(
      `<${prefix}/items?page=2>; rel="next", <${upstream.url}/other>; rel="up", <${prefix}/items?page=9>; rel="last"`,
    );
    expect(answer.headers['content-location']).toBe(`${prefix}/items/1`);
    expect(answer.headers['location']).toBe(`${prefix}/items/2#x`);
  });

  test.each(ways)('a redirect by %s', async (_way, base, send) => {
    const prefix = await base();
    upstream.answerWith((_request, response) => void response.writeHead(302, { location: '/v1/next?a=b' }).end());
    expect((await send('/x')).headers['location']).toBe(`${prefix}/next?a=b`);
    upstream.answerWith((_request, response) => void response.writeHead(302, { location: '/v1' }).end());
    expect((await send('/x')).headers['location']).toBe(prefix);
    upstream.answerWith((_request, response) => void response.writeHead(302, { location: '/elsewhere' }).end());
    expect((await send('/x')).problem()).toMatchObject({ status: 502, code: 'redirect_refused' });
  });

  test('a client that follows them comes to the same integration again', async () => {
    upstream.answerWith(headers({ link: `<${upstream.url}/v1/items?page=2>; rel="next"` }));
    const address = await own();
    const first = await call(address, '/items', { headers: key });
    const next = new URL(/<([^>]*)>/.exec(first.headers['link'] ?? '')?.[1] ?? '');
    expect((await call(next.origin, next.pathname + next.search, { headers: key })).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe('/v1/items?page=2');
  });

  test('an answer inside a document of execute has them by base URL', async () => {
    upstream.answerWith(headers({ link: `<${upstream.url}/v1/items?page=2>; rel="next"` }));
    const answer = await call(gateway.dataUrl, '/v1/execute', {
      headers: { ...key, 'content-type': 'application/json' },
      body: JSON.stringify({ integration: 'api', request: { method: 'GET', path: '/items' } }),
    });
    expect(answer.json().headers.link).toBe(`<${gateway.dataUrl}/to/api/items?page=2>; rel="next"`);
  });
});

describe('POSTERN_HOST_SUFFIX and POSTERN_PUBLIC_URL', () => {
  test('the suffix of the setting counts, and links have the public URL’s scheme and port', async () => {
    await using custom = await startGateway({
      config: configOf([coder], [integration('api', upstream.url), integration('gw', upstream.url)]),
      environment: {
        POSTERN_HOST_SUFFIX: 'To.Example.COM',
        POSTERN_PUBLIC_URL: 'https://gw.to.example.com:8443/below',
      },
    });
    const get = (host: string, path: string) => call(custom.dataUrl, path, { headers: { ...key, host } });
    upstream.answerWith((_request, response) => void response.writeHead(302, { location: '/next' }).end());
    expect((await get('api.to.example.com', '/x')).headers['location']).toBe('https://api.to.example.com:8443/next');
    expect((await get('api.to.localhost', '/x')).problem()).toMatchObject({ status: 421 });
    // The public URL's host is the gateway, though it lies under the suffix.
    expect((await get('gw.to.example.com', '/healthz')).status).toBe(200);
    expect((await get('gw.to.example.com', '/to/api/x')).headers['location']).toBe(
      'https://gw.to.example.com:8443/below/to/api/next',
    );
    const { items } = (await get('localhost', '/v1/integrations')).json();
    expect(items.map(({ host }: { host?: string }) => host)).toEqual(['api.to.example.com', undefined]);
  });

  test.each([
    '.to.example.com',
    'to.example.com.',
    '*.to.example.com',
    'a:80',
    '127.0.0.1',
    '[::1]',
    'a b',
    'http://a',
  ])('the suffix %j is refused at the start', async (suffix) => {
    const { refusedStart } = await import('./support/refused-start.ts');
    expect(await refusedStart({ environment: { POSTERN_HOST_SUFFIX: suffix } })).toMatch(/^POSTERN_HOST_SUFFIX: /);
  });
});

test('a call by host is judged as one by base URL is, for another tenant too', async () => {
  await control(gateway, 'POST', '/v1/tenants', { body: { name: 'acme' } });
  const config = { version: 1, tenant: 'acme', agents: [{ name: 'roadrunner' }], rules: [ALLOW_ALL] };
  await control(gateway, 'POST', '/v1/apply', { body: config, tenant: 'acme' });
  const issued = await control(gateway, 'POST', '/v1/agents/roadrunner/keys', { body: {}, tenant: 'acme' });
  const { key: acmeKey } = issued.json();
  const asAcme = { headers: { 'postern-key': acmeKey, host: 'api.to.localhost' } };
  expect((await call(gateway.dataUrl, '/x', asAcme)).problem()).toMatchObject({ status: 404 });
  // By its own address the integration of the other tenant is no more to be had, and told apart from none.
  const { listen } = await listed('api');
  const byAddress = (await call(`http://${listen}`, '/x', asAcme)).problem();
  expect(byAddress).toMatchObject({ status: 404, code: 'unknown_integration' });
  await control(gateway, 'POST', '/v1/integrations', { body: integration('api', other.url), tenant: 'acme' });
  expect((await call(gateway.dataUrl, '/x', asAcme)).text).toBe('other /x');
  expect((await call(`http://${listen}`, '/x', asAcme)).problem().code).toBe('unknown_integration');
  expect((await call(`http://${listen}`, '/x', { headers: key })).text).toBe('GET /v1/x');
});
