import { gzipSync } from 'node:zlib';
import type { Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Catalogue, expectProblem, startCatalogue } from './support/catalogue.ts';
import { call } from './support/http-client.ts';
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

const execute = (request: object, more: object = {}, headers: object = {}) =>
  catalogue.post('/v1/execute', { integration: 'api', request, ...more }, headers);

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
    expect(seen?.headers['authorization']).toBe(`Bearer ${catalogue.secret}`);
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
      const answer = await catalogue.post(path, document);
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
      await catalogue.post('/v1/execute', { integration: 'api', request: get }, { 'content-type': type }),
      415,
      'unsupported_media_type',
    );
  });

  test('a document that is no UTF-8 is refused', async () => {
    const body = Buffer.from('{"integration":"api","request":{"method":"GET","path":"/\xff"}}', 'latin1');
    const headers = { 'postern-key': catalogue.coder.key, 'content-type': 'application/json' };
    expectProblem(await call(gateway.dataUrl, '/v1/execute', { headers, body }), 400, 'malformed_request');
  });
});
