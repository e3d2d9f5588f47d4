import { gzipSync } from 'node:zlib';
import { PROBLEM_TYPE_BASE } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditEvents, eventualAuditEvents } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const guest = newAgent('guest');
const SECRET = 'sealed-0123456789abcdef';

let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  const actions = [
    { name: 'items.read', methods: ['GET', 'HEAD'], paths: ['/v1/items/**'], risk: 'low' },
    { name: 'items.write', methods: ['POST'], paths: ['/v1/items'], risk: 'medium' },
    { name: 'admin', methods: ['POST'], paths: ['/v1/admin/**'] },
  ];
  const config = {
    version: 1,
    secrets: { token: { value: SECRET } },
    integrations: [
      integration('api', `${upstream.url}/v1`, { actions, credential: { type: 'bearer', secret: 'token' } }),
      integration('off', upstream.url, { disabled: true }),
      integration('elsewhere', upstream.url, { environments: ['prod'] }),
      integration('nobodys', upstream.url),
    ],
    agents: [
      { name: 'coder', key: coder.key, roles: ['developer'], trust: 'medium', environment: 'dev' },
      { name: 'guest', key: guest.key },
    ],
    rules: [
      {
        id: 'reads',
        effect: 'allow',
        agents: ['role:developer'],
        integrations: ['api', 'off', 'elsewhere'],
        methods: ['GET', 'HEAD', 'OPTIONS'],
      },
      { id: 'writes', effect: 'allow', agents: ['coder'], integrations: ['api'], actions: ['items.write'] },
      { id: 'rule-asks', effect: 'require_approval', agents: ['coder'], integrations: ['api'], methods: ['DELETE'] },
      { id: 'rule-never', effect: 'deny', hard: true, integrations: ['api'], paths: ['/v1/admin/**'] },
    ],
  };
  gateway = await startGateway({ config });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => {
  upstream.answerWith((request, response) => void response.end(`${request.method} ${request.url}`));
});

const key = { 'postern-key': coder.key };
const post = (path: string, document: unknown, headers: object = {}) =>
  call(gateway.dataUrl, path, {
    headers: { ...key, 'content-type': 'application/json', ...headers },
    body: typeof document === 'string' ? document : JSON.stringify(document),
  });
const execute = (request: object, more: object = {}, headers: object = {}) =>
  post('/v1/execute', { integration: 'api', request, ...more }, headers);
const explain = (request: object) => post('/v1/explain', { integration: 'api', request });

describe('GET /healthz, /readyz', () => {
  test('need no key and tell the state', async () => {
    const healthz = await call(gateway.dataUrl, '/healthz');
    expect([healthz.status, healthz.json()]).toEqual([200, { status: 'ok' }]);
    const readyz = await call(gateway.dataUrl, '/readyz');
    expect(readyz.status).toBe(200);
    const { status, dependencies } = readyz.json();
    expect(status).toBe('ready');
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(['store', 'audit']));
    for (const state of Object.values(dependencies)) expect(state).toBe('ok');
    for (const answer of [healthz, readyz]) expect(answer.headers['postern-request-id']).toBeTruthy();
  });

  test('the control plane has them too, and /metrics, without a token and without names', async () => {
    await call(gateway.dataUrl, '/to/api/items', { headers: key });
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
  const answer = await call(gateway.dataUrl, '/v1/whoami', { headers: key });
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({
    tenant: 'default',
    agent: 'coder',
    roles: ['developer'],
    trust: 'medium',
    environment: 'dev',
    key: { id: coder.publicId, expiresAt: null, scopes: ['call', 'explain', 'buffer'] },
  });
  expect((await call(gateway.dataUrl, '/v1/whoami')).problem().status).toBe(401);
});

describe('GET /v1/integrations', () => {
  test('lists what I may call, with the outcome of each action', async () => {
    const answer = await call(gateway.dataUrl, '/v1/integrations', { headers: key });
    expect(answer.json()).toEqual({
      items: [
        {
          name: 'api',
          baseUrl: `${gateway.dataUrl}/to/api`,
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
    const answer = await call(gateway.dataUrl, '/v1/integrations', { headers: { 'postern-key': guest.key } });
    expect(answer.json()).toEqual({ items: [] });
  });
});

describe('POST /v1/execute', () => {
  test('answers 200 with the upstream’s answer and the decision', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(
        201,
        [
          ['Content-Type', 'application/json'],
          ['X-A', '1'],
          ['X-A', '2'],
        ].flat(),
      );
      response.end('{"made": [1, "ü"]}');
    });
    const answer = await execute({
      method: 'POST',
      path: '/items',
      query: { a: '1', b: ['2', '3'] },
      body: { name: 'x' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    const document = answer.json();
    expect(document).toEqual({
      requestId: answer.headers['postern-request-id'],
      status: 201,
      headers: expect.objectContaining({ 'content-type': 'application/json', 'x-a': ['1', '2'] }),
      body: { made: [1, 'ü'] },
      idempotency: 'none',
      decision: expect.objectContaining({ outcome: 'allow', rule: 'writes' }),
    });
    const seen = upstream.requests.at(-1);
    expect([seen?.method, seen?.url]).toEqual(['POST', '/v1/items?a=1&b=2&b=3']);
    expect(seen?.headers['content-type']).toBe('application/json');
    expect(seen?.headers['authorization']).toBe(`Bearer ${SECRET}`);
    expect(JSON.parse(Buffer.from(seen?.body ?? []).toString())).toEqual({ name: 'x' });
  });

  test.each<[string, object, Record<string, unknown>]>([
    ['text', { 'content-type': 'text/plain' }, { bodyText: 'plain é' }],
    ['JSON that is none', { 'content-type': 'application/json' }, { bodyText: 'plain é' }],
    ['a type of its own', {}, { bodyText: 'plain é' }],
  ])('gives %s as text', async (_what, headers, body) => {
    upstream.answerWith((_request, response) => void response.writeHead(200, { ...headers }).end('plain é'));
    expect((await execute({ method: 'GET', path: '/items' })).json()).toMatchObject(body);
  });

  test('gives what is no text, and what is encoded, in base64', async () => {
    for (const [bytes, headers] of [
      [Buffer.from([0xff, 0x00, 0xfe]), {}],
      [gzipSync('{}'), { 'content-encoding': 'gzip', 'content-type': 'application/json' }],
    ] as const) {
      upstream.answerWith((_request, response) => void response.writeHead(200, { ...headers }).end(bytes));
      const { bodyBase64, ...others } = (await execute({ method: 'GET', path: '/items' })).json();
      expect(Buffer.from(bodyBase64, 'base64').equals(bytes)).toBe(true);
      expect(others).not.toHaveProperty('body');
      expect(others).not.toHaveProperty('bodyText');
    }
  });

  test('an upstream’s error is an answer, not a problem', async () => {
    upstream.answerWith((_request, response) => void response.writeHead(500).end('broken'));
    expect((await execute({ method: 'GET', path: '/items' })).json()).toMatchObject({
      status: 500,
      bodyText: 'broken',
    });
  });

  test('bodies in three forms go out as they are', async () => {
    const sent = async (request: object) => {
      await execute({ method: 'POST', path: '/items', ...request });
      return {
        bytes: Buffer.from(upstream.requests.at(-1)?.body ?? []),
        type: upstream.requests.at(-1)?.headers['content-type'],
      };
    };
    expect((await sent({ bodyText: 'é' })).bytes.toString()).toBe('é');
    expect((await sent({ bodyBase64: '/wD+' })).bytes).toEqual(Buffer.from([0xff, 0x00, 0xfe]));
    expect((await sent({ body: null })).bytes.toString()).toBe('null');
    const patch = await sent({ body: [1], headers: { 'Content-Type': 'application/json-patch+json' } });
    expect([patch.bytes.toString(), patch.type]).toEqual(['[1]', 'application/json-patch+json']);
  });

  const get = { method: 'GET', path: '/items' };
  test.each<[string, unknown, number, string]>([
    ['no JSON', '{', 400, 'malformed_request'],
    ['nothing', '', 400, 'malformed_request'],
    [
      'a key twice',
      '{"integration":"api","integration":"off","request":{"method":"GET","path":"/items"}}',
      400,
      'malformed_request',
    ],
    [
      'a deep key twice',
      '{"integration":"api","request":{"method":"GET","path":"/items","path":"/admin"}}',
      400,
      'malformed_request',
    ],
    [
      'a lone surrogate',
      '{"integration":"api","request":{"method":"GET","path":"/\\ud800"}}',
      400,
      'malformed_request',
    ],
    ['a list', [], 422, 'validation_failed'],
    ['an unknown member', { integration: 'api', request: get, extra: 1 }, 422, 'validation_failed'],
    [
      'an unknown member of the request',
      { integration: 'api', request: { ...get, extra: 1 } },
      422,
      'validation_failed',
    ],
    ['no request', { integration: 'api' }, 422, 'validation_failed'],
    ['no method', { integration: 'api', request: { path: '/' } }, 422, 'validation_failed'],
    ['a method in lower case', { integration: 'api', request: { ...get, method: 'get' } }, 422, 'validation_failed'],
    ['CONNECT', { integration: 'api', request: { ...get, method: 'CONNECT' } }, 422, 'validation_failed'],
    ['TRACE', { integration: 'api', request: { ...get, method: 'TRACE' } }, 422, 'validation_failed'],
    ['path and url', { integration: 'api', request: { ...get, url: 'http://x/' } }, 422, 'validation_failed'],
    ['neither path nor url', { integration: 'api', request: { method: 'GET' } }, 422, 'validation_failed'],
    ['two bodies', { integration: 'api', request: { ...get, body: 1, bodyText: '1' } }, 422, 'validation_failed'],
    ['bad base64', { integration: 'api', request: { ...get, bodyBase64: 'a' } }, 422, 'validation_failed'],
    [
      'a line break in a header',
      { integration: 'api', request: { ...get, headers: { a: 'b\r\nHost: x' } } },
      422,
      'validation_failed',
    ],
    [
      'a line break in a header’s name',
      { integration: 'api', request: { ...get, headers: { 'a\r\nb': 'c' } } },
      422,
      'validation_failed',
    ],
    ['a long intent', { integration: 'api', request: get, intent: 'x'.repeat(501) }, 422, 'validation_failed'],
    [
      'an idempotency key with a space',
      { integration: 'api', request: get, idempotencyKey: 'a b' },
      422,
      'validation_failed',
    ],
    ['a long wait', { integration: 'api', request: get, waitSeconds: 301 }, 422, 'validation_failed'],
    ['an unknown integration', { integration: 'nothing', request: get }, 404, 'unknown_integration'],
    ['a disabled integration', { integration: 'off', request: get }, 403, 'integration_disabled'],
  ])('a document with %s is refused', async (_what, document, status, code) => {
    const before = upstream.requests.length;
    for (const path of ['/v1/execute', '/v1/explain']) {
      const answer = await post(path, document);
      expectProblem(answer, status, code);
      if (code === 'validation_failed') {
        expect(answer.json().issues.length).toBeGreaterThan(0);
        for (const issue of answer.json().issues) expect(issue.message).toBeTruthy();
      }
    }
    expect(upstream.requests.length).toBe(before);
  });

  test.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded'])('%s is 415', async (type) => {
    expectProblem(
      await post('/v1/execute', { integration: 'api', request: get }, { 'content-type': type }),
      415,
      'unsupported_media_type',
    );
  });

  test('a document that is no UTF-8 is refused', async () => {
    const body = Buffer.from('{"integration":"api","request":{"method":"GET","path":"/\xff"}}', 'latin1');
    const headers = { ...key, 'content-type': 'application/json' };
    expectProblem(await call(gateway.dataUrl, '/v1/execute', { headers, body }), 400, 'malformed_request');
  });
});

describe('POST /v1/explain', () => {
  test('tells the decision, the descriptor and its fingerprint, and has no effect', async () => {
    const [sent, recorded] = [upstream.requests.length, (await eventualAuditEvents(gateway, {})).length];
    const answer = await explain({
      method: 'GET',
      path: '/items/../items/1?b=2',
      headers: { 'X-B': '1', 'x-a': '2', 'User-Agent': 'me', Cookie: 'a=b' },
    });
    expect(answer.status).toBe(200);
    const { descriptor, fingerprint, trace, ...rest } = answer.json();
    expect(rest).toMatchObject({
      decision: 'allow',
      rule: 'reads',
      reason: expect.any(String),
      hard: false,
      action: 'items.read',
      credential: { type: 'bearer', secret: 'token' },
    });
    expect(descriptor).toMatchObject({
      v: 1,
      kind: 'http',
      tenant: 'default',
      agent: 'coder',
      integration: 'api',
      template: null,
      method: 'GET',
      url: `${upstream.url}/v1/items/1?b=2`,
      headers: [
        ['x-a', '2'],
        ['x-b', '1'],
      ],
      body: null,
      credential: 'token',
    });
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(trace).toBeInstanceOf(Array);
    expect(answer.text).not.toContain(SECRET);
    expect(upstream.requests.length).toBe(sent);
    expect((await auditEvents(gateway)).length).toBe(recorded);
  });

  test.each([
    [
      { method: 'POST', path: '/admin/x' },
      { decision: 'deny', rule: 'rule-never', hard: true },
    ],
    [
      { method: 'PUT', path: '/items' },
      { decision: 'deny', rule: null, hard: false },
    ],
    [
      { method: 'DELETE', path: '/items' },
      { decision: 'require_approval', rule: 'rule-asks', hard: false },
    ],
  ])('%j', async (request, expected) => {
    expect((await explain(request)).json()).toMatchObject(expected);
    const refused = await execute(request);
    expectProblem(refused, 403, 'denied');
    expect(refused.problem().decision).toBe(expected.decision);
    expect(refused.text).not.toMatch(/rule-/);
  });

  test('the fingerprint follows what matters and nothing else', async () => {
    const of = async (request: object) =>
      (await explain({ method: 'POST', path: '/items', ...request })).json().fingerprint;
    const base = await of({ bodyText: 'a' });
    expect(
      await of({ bodyText: 'a', headers: { 'User-Agent': 'x', 'X-Request-Id': '1', 'Accept-Encoding': 'br' } }),
    ).toBe(base);
    expect(await of({ bodyBase64: 'YQ==' })).toBe(base);
    expect(await of({ path: '/x/../items', bodyText: 'a' })).toBe(base);
    for (const other of [
      { bodyText: 'b' },
      {},
      { bodyText: 'a', path: '/items?' },
      { bodyText: 'a', headers: { accept: 'x' } },
    ]) {
      expect(await of(other)).not.toBe(base);
    }
  });
});

describe('problems', () => {
  test.each<[string, () => Promise<Answer>, number, string]>([
    ['no key', () => call(gateway.dataUrl, '/to/api/items'), 401, 'unauthenticated'],
    ['an unknown path', () => call(gateway.dataUrl, '/nothing'), 404, 'not_found'],
    ['a wrong method', () => call(gateway.dataUrl, '/v1/whoami', { method: 'DELETE' }), 405, 'method_not_allowed'],
    [
      'an unknown integration',
      () => call(gateway.dataUrl, '/to/nothing/', { headers: key }),
      404,
      'unknown_integration',
    ],
    ['a disabled integration', () => call(gateway.dataUrl, '/to/off/', { headers: key }), 403, 'integration_disabled'],
    [
      'another environment',
      () => call(gateway.dataUrl, '/to/elsewhere/', { headers: key }),
      403,
      'integration_disabled',
    ],
    ['no rule', () => call(gateway.dataUrl, '/to/nobodys/', { headers: key }), 403, 'denied'],
    ['a target outside', () => call(gateway.dataUrl, '/to/api/../x', { headers: key }), 400, 'target_invalid'],
    [
      'an intent that is too long',
      () => call(gateway.dataUrl, '/to/api/items', { headers: { ...key, 'postern-intent': 'x'.repeat(501) } }),
      400,
      'malformed_request',
    ],
  ])('%s', async (_what, send, status, code) => {
    expectProblem(await send(), status, code);
  });

  test('a HEAD request gets the head of a problem and no body', async () => {
    const answer = await call(gateway.dataUrl, '/to/nothing/x', { method: 'HEAD', headers: key });
    expect([answer.status, answer.text]).toEqual([404, '']);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });
});

describe('what every answer carries', () => {
  test('each has a request id of its own', async () => {
    const ids = new Set<string>();
    for (const path of ['/to/api/items', '/to/api/items', '/to/nothing/x', '/v1/whoami', '/healthz', '/nothing']) {
      const answer = await call(gateway.dataUrl, path, { headers: { ...key, 'x-request-id': 'mine' } });
      ids.add(answer.headers['postern-request-id'] as string);
    }
    expect(ids.size).toBe(6);
    expect(ids).not.toContain('mine');
  });

  const keyed = { 'idempotency-key': '"k-1"' };
  test.each<[string, () => Promise<Answer>]>([
    ['a passed call', () => call(gateway.dataUrl, '/to/api/items', { headers: { ...key, ...keyed } })],
    ['a document with the header', () => execute({ method: 'GET', path: '/items' }, {}, keyed)],
    ['a document with the member', () => execute({ method: 'GET', path: '/items' }, { idempotencyKey: 'k-1' })],
    ['a refusal', () => call(gateway.dataUrl, '/to/nobodys/x', { headers: { ...key, ...keyed } })],
  ])('Postern-Idempotency: none when a key came: %s', async (_what, send) => {
    expect((await send()).headers['postern-idempotency']).toBe('none');
  });

  test('no Postern-Idempotency when no key came, and the key is not forwarded', async () => {
    expect((await call(gateway.dataUrl, '/to/api/items', { headers: key })).headers).not.toHaveProperty(
      'postern-idempotency',
    );
    await call(gateway.dataUrl, '/to/api/items', { headers: { ...key, ...keyed } });
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('idempotency-key');
  });

  test.each(['GET', 'HEAD', 'OPTIONS'])('%s passes through', async (method) => {
    const answer = await call(gateway.dataUrl, '/to/api/items', { method, headers: key });
    expect([answer.status, answer.text]).toEqual([200, method === 'HEAD' ? '' : `${method} /v1/items`]);
  });
});

function expectProblem(answer: Answer, status: number, code: string): void {
  const { issues, decision, retryAfterSeconds, ...problem } = answer.problem() as unknown as Record<string, unknown>;
  expect(answer.status).toBe(status);
  expect(problem).toEqual({
    type: PROBLEM_TYPE_BASE + code,
    title: expect.stringMatching(/\w/),
    status,
    detail: expect.stringMatching(/\w/),
    code,
    requestId: answer.headers['postern-request-id'],
    retryable: expect.any(Boolean),
  });
  expect(answer.headers['postern-request-id']).toBeTruthy();
}
