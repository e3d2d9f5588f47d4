import { generateAgentKey } from '@postern/auth';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, openRaw, postJson } from './client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from './gateway.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway({ integrations: [{ name: 'api', baseUrl: upstream.url, network: LOOPBACK }] });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

let sentBefore: number;
beforeEach(() => {
  sentBefore = upstream.requests.length;
});

const encoded = (text: string) => text.replace('_', '%5f');
const document = (request: object, more: object = {}) => ({
  integration: 'api',
  request: { method: 'POST', path: '/x', ...request },
  ...more,
});

/** Every place in a call where no key belongs. `key` is the caller's own; any other of right checksum counts alike. */
const PLACES: readonly [where: string, send: (key: string) => Promise<{ problem(): unknown }>][] = [
  ['the path', (key) => call(gateway, `/to/api/${key}`)],
  ['the path, encoded', (key) => call(gateway, `/to/api/a${encoded(key)}b`)],
  ['the query', (key) => call(gateway, `/to/api/x?api_key=${key}`)],
  ['the query, encoded', (key) => call(gateway, `/to/api/x?a=${encoded(key)}`)],
  ['the name of the integration', (key) => call(gateway, `/to/${key}/x`)],
  ['the path of an unknown integration', (key) => call(gateway, `/to/nothing/${key}`)],
  ['Referer', (key) => call(gateway, '/to/api/x', { headers: { referer: `http://a.test/${key}` } })],
  ['User-Agent', (key) => call(gateway, '/to/api/x', { headers: { 'user-agent': `client ${key}` } })],
  ['X-Request-Id', (key) => call(gateway, '/to/api/x', { headers: { 'x-request-id': key } })],
  ['X-Request-Id, late', (key) => call(gateway, '/to/api/x', { headers: { 'x-request-id': 'a'.repeat(100) + key } })],
  ['Postern-Intent', (key) => call(gateway, '/to/api/x', { headers: { 'postern-intent': `use ${key}` } })],
  ['Cookie', (key) => call(gateway, '/to/api/x', { headers: { cookie: `k=${key}` } })],
  ['a header that is not forwarded', (key) => call(gateway, '/to/api/x', { headers: { 'x-forwarded-for': key } })],
  ['the name of a header', (key) => call(gateway, '/to/api/x', { headers: { [key]: '1' } })],
  ['the body', (key) => call(gateway, '/to/api/x', { body: `{"key":"${key}"}` })],
  ['the body of execute', (key) => postJson(gateway, '/v1/execute', document({ body: { key } }))],
  ['the text of execute', (key) => postJson(gateway, '/v1/execute', document({ bodyText: key }))],
  [
    'the bytes of execute',
    (key) => postJson(gateway, '/v1/execute', document({ bodyBase64: Buffer.from(key).toString('base64') })),
  ],
  ['the path of execute', (key) => postJson(gateway, '/v1/execute', document({ path: `/${key}` }))],
  ['the query of execute', (key) => postJson(gateway, '/v1/execute', document({ query: { k: ['a', key] } }))],
  ['the integration of execute', (key) => postJson(gateway, '/v1/execute', { ...document({}), integration: key })],
  ['a header of execute', (key) => postJson(gateway, '/v1/execute', document({ headers: { 'X-Any': key } }))],
  ['the intent of execute', (key) => postJson(gateway, '/v1/execute', document({}, { intent: key }))],
  ['the intent of explain', (key) => postJson(gateway, '/v1/explain', document({}, { intent: key }))],
  [
    'a header beside execute',
    (key) =>
      call(gateway, '/v1/execute', {
        headers: { 'content-type': 'application/json', 'x-request-id': key },
        body: JSON.stringify(document({})),
      }),
  ],
];

describe('an agent key outside its places', () => {
  test.each(PLACES)('in %s is refused, recorded as a violation, and neither sent nor kept', async (_where, send) => {
    for (const key of [gateway.key, generateAgentKey().key]) {
      const answer = await send(key);
      expect(answer.problem()).toMatchObject({ status: 400, code: 'key_in_request' });
      expect(JSON.stringify(answer)).not.toContain(key);
      const entries = await gateway.entries({ requestId: (answer.problem() as { requestId: string }).requestId });
      expect(entries.map(({ type, code }) => [type, code])).toEqual([['violation', 'key_in_request']]);
      expect(JSON.stringify(entries)).not.toContain(key);
      expect(JSON.stringify(gateway.calls)).not.toContain(key);
      expect(String(gateway.faults.map(({ error }) => error))).not.toContain(key);
    }
    expect(upstream.requests.length).toBe(sentBefore);
  });

  test('never reaches the log by a call that nobody checks for keys', async () => {
    for (const path of ['/v1/whoami', '/v1/integrations', '/healthz', '/nothing']) {
      await call(gateway, path, { headers: { 'x-request-id': gateway.key } });
    }
    expect(JSON.stringify(gateway.calls)).not.toContain(gateway.key);
  });

  test('is met by 401 first when there is none in its place', async () => {
    using connection = await openRaw(gateway.port);
    connection.write(`GET /to/api/${gateway.key} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect((await connection.read()).problem().code).toBe('unauthenticated');
  });

  test.each([
    ['a key with a wrong checksum', () => `${gateway.key.slice(0, -1)}${gateway.key.endsWith('0') ? '1' : '0'}`],
    ['half a key', () => gateway.key.slice(0, 40)],
  ])('is not seen in %s', async (_what, text) => {
    expect((await call(gateway, `/to/api/x?k=${text()}`)).status).toBe(200);
  });
});

describe('the places of the key', () => {
  const key = () => gateway.key;
  test.each<[string, () => Record<string, string>]>([
    ['postern-key', () => ({ 'pOsTeRn-KeY': key() })],
    ['proxy-authorization, bearer', () => ({ 'Proxy-Authorization': `Bearer ${key()}` })],
    ['authorization, bare', () => ({ AUTHORIZATION: key() })],
    ['authorization, password', () => ({ authorization: `basic ${Buffer.from(`any:${key()}`).toString('base64')}` })],
    ['x-api-key', () => ({ 'X-Api-Key': key() })],
    ['api-key', () => ({ 'Api-Key': key() })],
    ['x-goog-api-key', () => ({ 'X-Goog-Api-Key': key() })],
    ['private-token', () => ({ 'Private-Token': key() })],
    ['two of them', () => ({ 'Private-Token': key(), authorization: `Bearer ${key()}` })],
  ])('%s lets the call through, and no place reaches the upstream', async (_where, headers) => {
    const others = { cookie: 'a=b', 'x-api-key': 'left over', authorization: 'Bearer left-over', ...headers() };
    using connection = await openRaw(gateway.port);
    const fields = Object.entries(others).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`GET /to/api/x HTTP/1.1\r\nHost: localhost\r\n${fields.join('')}\r\n`);
    expect((await connection.read()).status).toBe(200);
    const names = Object.keys(upstream.requests.at(-1)?.headers ?? {});
    expect(names.filter((name) => /key|auth|token|cookie|postern/.test(name))).toEqual([]);
    expect(JSON.stringify(upstream.requests.at(-1))).not.toContain(key());
  });

  test('two different keys are refused, in whatever letters their headers are written', async () => {
    const other = await gateway.issueKey();
    using connection = await openRaw(gateway.port);
    connection.write(
      `GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${key()}\r\nPOSTERN-KEY: ${other.key}\r\n\r\n`,
    );
    expect((await connection.read()).problem()).toMatchObject({ status: 400, code: 'malformed_request' });
    expect(upstream.requests.length).toBe(sentBefore);
  });
});
