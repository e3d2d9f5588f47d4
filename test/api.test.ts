import type { Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Catalogue, expectProblem, startCatalogue } from './support/catalogue.ts';
import { type Answer, call } from './support/http-client.ts';
import type { RunningGateway } from './support/start-gateway.ts';

let catalogue: Catalogue;
let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  catalogue = await startCatalogue();
  ({ upstream, gateway } = catalogue);
});

afterAll(async () => {
  await catalogue?.[Symbol.asyncDispose]();
});

beforeEach(() => catalogue.answerAsAtFirst());

const key = () => ({ 'postern-key': catalogue.coder.key });
const execute = (request: object, more: object = {}, headers: object = {}) =>
  catalogue.post('/v1/execute', { integration: 'api', request, ...more }, headers);

describe('GET /healthz, /readyz', () => {
  test('need no key and tell the state', async () => {
    const healthz = await call(gateway.dataUrl, '/healthz');
    expect([healthz.status, healthz.json()]).toEqual([200, { status: 'ok' }]);
    const readyz = await call(gateway.dataUrl, '/readyz');
    expect(readyz.status).toBe(200);
    const { status, dependencies } = readyz.json();
    expect(status).toBe('ready');
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(['database', 'audit']));
    for (const state of Object.values(dependencies)) expect(state).toBe('ok');
    for (const answer of [healthz, readyz]) expect(answer.headers['postern-request-id']).toBeTruthy();
  });

  test('the control plane has them too, and /metrics, without a token and without names', async () => {
    await call(gateway.dataUrl, '/to/api/items', { headers: key() });
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
      const answer = await call(gateway.adminUrl, path);
      expect(answer.status).toBe(200);
      expect(answer.text).not.toMatch(/coder|guest/);
    }
    expect((await call(gateway.adminUrl, '/metrics')).text).toContain('postern_calls_total{');
    expect((await call(gateway.adminUrl, '/openapi.json')).json().openapi).toMatch(/^3\.1\./);
  });
});

test('GET /v1/whoami', async () => {
  const answer = await call(gateway.dataUrl, '/v1/whoami', { headers: key() });
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({
    tenant: 'default',
    agent: 'coder',
    roles: ['developer'],
    trust: 'medium',
    environment: 'dev',
    key: { id: catalogue.coder.publicId, expiresAt: null, scopes: ['call', 'explain', 'buffer'] },
  });
  expect((await call(gateway.dataUrl, '/v1/whoami')).problem().status).toBe(401);
});

describe('GET /v1/integrations', () => {
  test('lists what I may call, with the outcome of each action', async () => {
    const answer = await call(gateway.dataUrl, '/v1/integrations', { headers: key() });
    expect(answer.json()).toEqual({
      items: [
        {
          name: 'api',
          baseUrl: `${gateway.dataUrl}/to/api`,
          host: 'api.to.localhost',
          actions: [
            { name: 'items.read', methods: ['GET', 'HEAD'], paths: ['/v1/items/**'], risk: 'low', outcome: 'allow' },
            { name: 'items.write', methods: ['POST'], paths: ['/v1/items'], risk: 'medium', outcome: 'allow' },
            { name: 'admin', methods: ['POST'], paths: ['/v1/admin/**'], risk: null, outcome: 'deny' },
          ],
        },
      ],
    });
  });

  test('lists nothing for an agent that no rule speaks for', async () => {
    const answer = await call(gateway.dataUrl, '/v1/integrations', { headers: { 'postern-key': catalogue.guest.key } });
    expect(answer.json()).toEqual({ items: [] });
  });
});

describe('problems', () => {
  test.each<[string, () => Promise<Answer>, number, string]>([
    ['no key', () => call(gateway.dataUrl, '/to/api/items'), 401, 'unauthenticated'],
    ['an unknown path', () => call(gateway.dataUrl, '/nothing'), 404, 'not_found'],
    ['a wrong method', () => call(gateway.dataUrl, '/v1/whoami', { method: 'DELETE' }), 405, 'method_not_allowed'],
    [
      'an unknown integration',
      () => call(gateway.dataUrl, '/to/nothing/', { headers: key() }),
      404,
      'unknown_integration',
    ],
    [
      'a disabled integration',
      () => call(gateway.dataUrl, '/to/off/', { headers: key() }),
      403,
      'integration_disabled',
    ],
    [
      'another environment',
      () => call(gateway.dataUrl, '/to/elsewhere/', { headers: key() }),
      403,
      'integration_disabled',
    ],
    ['no rule', () => call(gateway.dataUrl, '/to/nobodys/', { headers: key() }), 403, 'denied'],
    ['a target outside', () => call(gateway.dataUrl, '/to/api/../x', { headers: key() }), 400, 'target_invalid'],
    [
      'an intent that is too long',
      () => call(gateway.dataUrl, '/to/api/items', { headers: { ...key(), 'postern-intent': 'x'.repeat(501) } }),
      400,
      'malformed_request',
    ],
  ])('%s', async (_what, send, status, code) => {
    expectProblem(await send(), status, code);
  });

  test('a HEAD request gets the head of a problem and no body', async () => {
    const answer = await call(gateway.dataUrl, '/to/nothing/x', { method: 'HEAD', headers: key() });
    expect([answer.status, answer.text]).toEqual([404, '']);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });
});

describe('what every answer carries', () => {
  test('each has a request id of its own', async () => {
    const ids = new Set<string>();
    for (const path of ['/to/api/items', '/to/api/items', '/to/nothing/x', '/v1/whoami', '/healthz', '/nothing']) {
      const answer = await call(gateway.dataUrl, path, { headers: { ...key(), 'x-request-id': 'mine' } });
      ids.add(answer.headers['postern-request-id'] as string);
    }
    expect(ids.size).toBe(6);
    expect(ids).not.toContain('mine');
  });

  const keyed = { 'idempotency-key': '"k-1"' };
  const other = { 'idempotency-key': '"k-2"' };
  test.each<[string, string, () => Promise<Answer>]>([
    ['a passed call', 'stored', () => call(gateway.dataUrl, '/to/api/items', { headers: { ...key(), ...keyed } })],
    ['a document with the header', 'stored', () => execute({ method: 'GET', path: '/items' }, {}, other)],
    [
      'a document with the member',
      'replayed',
      () => execute({ method: 'GET', path: '/items' }, { idempotencyKey: 'k-2' }),
    ],
    ['a refusal', 'none', () => call(gateway.dataUrl, '/to/nobodys/x', { headers: { ...key(), ...keyed } })],
  ])('Postern-Idempotency tells what a key came to: %s', async (_what, came, send) => {
    expect((await send()).headers['postern-idempotency']).toBe(came);
  });

  test('no Postern-Idempotency when no key came, and the key is not forwarded', async () => {
    expect((await call(gateway.dataUrl, '/to/api/items', { headers: key() })).headers).not.toHaveProperty(
      'postern-idempotency',
    );
    await call(gateway.dataUrl, '/to/api/items', { headers: { ...key(), ...keyed } });
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('idempotency-key');
  });

  test.each(['GET', 'HEAD', 'OPTIONS'])('%s passes through', async (method) => {
    const answer = await call(gateway.dataUrl, '/to/api/items', { method, headers: key() });
    expect([answer.status, answer.text]).toEqual([200, method === 'HEAD' ? '' : `${method} /v1/items`]);
  });
});
