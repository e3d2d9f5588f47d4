import { generateAgentKey } from '@postern/auth';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, eventualAuditEvents } from './support/audit-log.ts';
import { type Answer, call, sendRaw } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ config: configOf([coder], [integration('plain', upstream.url)]) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const get = (headers: Record<string, string>, path = '/to/plain/x') => call(gateway.dataUrl, path, { headers });

function expectRefused(answer: Answer, status: number, code: string): void {
  expect(answer.problem()).toMatchObject({ status, code });
  expect(answer.status).toBe(status);
}

describe('keys outside their place', () => {
  /** Not the caller's own: any text of the format counts. */
  const leaked = generateAgentKey().key;
  const encoded = [...leaked].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');
  const own = { 'postern-key': coder.key };
  const json = { ...own, 'content-type': 'application/json' };
  const execute = (document: object) =>
    call(gateway.dataUrl, '/v1/execute', { headers: json, body: JSON.stringify(document) });

  const leaks: [string, () => Promise<Answer>][] = [
    ['the path', () => get(own, `/to/plain/a/${leaked}/b`)],
    ['the query', () => get(own, `/to/plain/a?key=${leaked}`)],
    ['a query, percent-encoded', () => get(own, `/to/plain/a?key=${encoded}`)],
    ['a query, one character percent-encoded', () => get(own, `/to/plain/a?key=%70${leaked.slice(1)}`)],
    ['the name of the integration', () => get(own, `/to/${leaked}/a`)],
    ['another header', () => get({ ...own, 'x-token': `key=${leaked}` })],
    ['User-Agent', () => get({ ...own, 'user-agent': leaked })],
    ['Cookie', () => get({ ...own, cookie: `session=${leaked}` })],
    ['X-Request-Id', () => get({ ...own, 'x-request-id': leaked })],
    ['Postern-Intent', () => get({ ...own, 'postern-intent': `with ${leaked}` })],
    ['Idempotency-Key', () => get({ ...own, 'idempotency-key': leaked })],
    ['a body', () => call(gateway.dataUrl, '/to/plain/a', { headers: json, body: `{"key":"${leaked}"}` })],
    ['a form', () => call(gateway.dataUrl, '/to/plain/a', { headers: own, body: `a=b&key=%70st${leaked.slice(3)}` })],
    [
      'an absolute target',
      () =>
        sendRaw(
          gateway.dataUrl,
          `GET ${gateway.dataUrl}/to/plain/?k=${leaked} HTTP/1.1\r\nHost: x\r\nPostern-Key: ${coder.key}\r\nConnection: close\r\n\r\n`,
        ),
    ],
    [
      'the path of a document',
      () => execute({ integration: 'plain', request: { method: 'GET', path: `/x/${leaked}` } }),
    ],
    [
      'the query of a document',
      () => execute({ integration: 'plain', request: { method: 'GET', path: '/x', query: { key: leaked } } }),
    ],
    ['the integration of a document', () => execute({ integration: leaked, request: { method: 'GET', path: '/x' } })],
    [
      'a header of a document',
      () => execute({ integration: 'plain', request: { method: 'GET', path: '/x', headers: { 'x-a': leaked } } }),
    ],
    [
      'the body of a document',
      () => execute({ integration: 'plain', request: { method: 'POST', path: '/x', body: { deep: [leaked] } } }),
    ],
    [
      'the base64 body of a document',
      () =>
        execute({
          integration: 'plain',
          request: { method: 'POST', path: '/x', bodyBase64: Buffer.from(leaked).toString('base64') },
        }),
    ],
    [
      'the intent of a document',
      () => execute({ integration: 'plain', request: { method: 'GET', path: '/x' }, intent: leaked }),
    ],
  ];

  test.each(leaks)('a key in %s is refused and recorded as a violation', async (_place, send) => {
    const before = upstream.requests.length;
    const answer = await send();
    expectRefused(answer, 400, 'key_in_request');
    expect(upstream.requests.length).toBe(before);
    expect(answer.text).not.toContain(leaked.slice(4));
    const requestId = answer.headers['postern-request-id'] as string;
    const [entry] = await eventualAuditEvents(gateway, { requestId });
    expect(entry).toMatchObject({ type: 'violation', agent: 'coder', code: 'key_in_request' });
    expect(JSON.stringify(entry)).not.toContain(leaked.slice(4));
  });

  test('without a key in its place, a key elsewhere is 401 first', async () => {
    for (const answer of [await get({ 'x-token': leaked }), await get({}, `/to/plain/a?key=${leaked}`)]) {
      expectRefused(answer, 401, 'unauthenticated');
    }
  });

  test('text that only looks like a key is no key', async () => {
    const lookalike = `${leaked.slice(0, -1)}${leaked.endsWith('0') ? '1' : '0'}`;
    expect((await get({ ...own, 'x-token': lookalike }, `/to/plain/a?key=${lookalike}`)).status).toBe(200);
  });

  test('no key, leaked or used, was ever logged', async () => {
    for (const [, send] of leaks) await send();
    await get({ 'x-request-id': leaked });
    const sentinel = await get({ ...own, 'x-request-id': 'last-line' });
    expect(sentinel.status).toBe(200);
    await vi.waitFor(() => expect(gateway.stderr()).toContain('last-line'), 3_000);
    const secrets = [leaked, encoded, coder.key].map((key) => key.slice(-49));
    const records = [...gateway.stderr().split('\n'), gateway.stdout()];
    for (const entry of await auditEvents(gateway)) records.push(JSON.stringify(entry));
    expect(records.filter((record) => secrets.some((secret) => record.includes(secret)))).toEqual([]);
  });
});
