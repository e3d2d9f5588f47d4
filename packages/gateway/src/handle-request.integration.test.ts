import type { CallJournal } from '@postern/db/ports';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call } from './client.fixture.ts';
import { LOOPBACK, TENANT, type TestGateway, type TestGatewayOptions } from './gateway.fixture.ts';
import { entriesOf, refusedCall, SECRET, startOn } from './refused-call.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await gateway?.close();
});

const start = async (options: TestGatewayOptions = {}, integration: object = {}) => {
  gateway = await startOn(upstream.port, options, integration);
};
const refused = (path?: string) => refusedCall(gateway, upstream, path);

describe('a call that goes through', () => {
  test('reaches the upstream with the credential and is recorded before and after', async () => {
    await start();
    const answer = await call(gateway, '/to/api/hello?x=1', { headers: { 'postern-intent': 'to greet' } });
    expect(answer.status).toBe(200);
    const { headers, url } = upstream.requests.at(-1) ?? {};
    expect(url).toBe('/hello?x=1');
    const requestId = answer.headers['postern-request-id'] ?? '';
    expect(headers).toMatchObject({
      host: `upstream.test:${upstream.port}`,
      authorization: `Bearer ${SECRET}`,
      via: '1.1 postern-test',
      'x-request-id': requestId,
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/),
    });
    const [intent, outcome, ...more] = await gateway.entries({ requestId });
    expect(more).toEqual([]);
    expect(intent).toMatchObject({
      type: 'intent',
      agent: 'coder',
      integration: 'api',
      method: 'GET',
      url: `http://upstream.test:${upstream.port}/hello`,
      intent: 'to greet',
      decision: 'allow',
      rule: 'all',
      credential: 'token',
      addresses: ['127.0.0.1'],
    });
    expect(outcome).toMatchObject({ type: 'outcome', result: 'done', status: 200 });
    expect(JSON.stringify([intent, outcome, ...gateway.calls])).not.toContain(SECRET);
  });

  test("continues the caller's trace, and begins one where the caller's is none", async () => {
    await start();
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    await call(gateway, '/to/api/x', { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
    expect(upstream.requests.at(-1)?.headers['traceparent']).toMatch(
      new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`),
    );
    await call(gateway, '/to/api/x', { headers: { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` } });
    expect(upstream.requests.at(-1)?.headers['traceparent']).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });
});

describe('stage 2, authenticate: refused when', () => {
  test('the store is gone and the key is not known yet', async () => {
    await start();
    await gateway.db.close();
    const before = upstream.requests.length;
    const answer = await call(gateway, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 503, code: 'audit_unavailable', retryable: true });
    expect(upstream.requests.length).toBe(before);
  });

  test('the stored policy cannot be compiled', async () => {
    await start({ rules: [{}, { id: 'broken', paths: ['/a**b'] }] });
    expect((await refused()).problem()).toMatchObject({ status: 500, code: 'internal_error' });
    expect(JSON.stringify(gateway.faults.map(({ doing }) => doing))).toContain('load tenant');
  });

  test.each<[string, TestGatewayOptions, string]>([
    ['the agent is disabled', { agent: { disabled: true } }, 'agent_disabled'],
    ['the agent may call from elsewhere alone', { agent: { addresses: ['10.0.0.0/8'] } }, 'address_not_allowed'],
    ['the key is for something else', { scopes: ['explain'] }, 'forbidden'],
  ])('%s', async (_what, options, code) => {
    await start(options);
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status: 403, code });
    expect(await entriesOf(gateway, answer)).toEqual([{ type: 'denied', code, status: 403 }]);
  });

  test('the key has expired', async () => {
    await start();
    const expired = await gateway.issueKey(['call'], Date.now() - 1);
    const answer = await call({ port: gateway.port, key: expired.key }, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="postern", Basic realm="postern"');
    const valid = await gateway.issueKey(['call'], Date.now() + 60_000);
    expect((await call({ port: gateway.port, key: valid.key }, '/to/api/x')).status).toBe(200);
  });
});

describe('stage 3, resolve: refused when', () => {
  test.each<[string, object, string]>([
    ['the integration is disabled', { disabled: true }, 'integration_disabled'],
    ["the integration is not for the agent's environment", { environments: ['prod'] }, 'integration_disabled'],
  ])('%s', async (_what, integration, code) => {
    await start({ agent: { environment: 'dev' } }, integration);
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status: 403, code });
    expect(await entriesOf(gateway, answer)).toEqual([{ type: 'denied', code, status: 403 }]);
  });

  test('the query already holds what the credential writes', async () => {
    await start({}, { credential: { type: 'query', secret: 'token', name: 'api_key' } });
    for (const path of ['/to/api/x?api_key=1', '/to/api/x?a=1&api%5fkey=', '/to/api/x?%61pi_key']) {
      expect((await refused(path)).problem()).toMatchObject({ status: 400, code: 'target_invalid' });
    }
    expect((await call(gateway, '/to/api/x?a=1')).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(`/x?a=1&api_key=${SECRET}`);
  });
});

describe('stage 5, decide: refused when', () => {
  test.each<[string, TestGatewayOptions['rules'], string]>([
    ['no rule allows', [], 'deny'],
    ['a rule denies', [{}, { id: 'no', effect: 'deny' }], 'deny'],
  ])('%s', async (_what, rules, decision) => {
    await start({ rules });
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status: 403, code: 'denied', decision });
    expect(await entriesOf(gateway, answer)).toEqual([{ type: 'denied', code: 'denied', status: 403 }]);
    // The rule stands in the log and not in the answer.
    expect(Object.keys(answer.problem()).sort()).toEqual(
      ['code', 'decision', 'detail', 'requestId', 'retryable', 'status', 'title', 'type'].sort(),
    );
    expect(gateway.calls.at(-1)).toMatchObject({ decision, rule: rules?.at(-1)?.id });
  });
});

describe('stage 8, guard the target: refused when', () => {
  test.each<[string, TestGatewayOptions, number, string, string]>([
    [
      'the address is not global',
      { resolve: async () => ({ addresses: ['10.0.0.1'] }) },
      403,
      'address_forbidden',
      'ssrf.denied',
    ],
    [
      'one of the addresses is metadata',
      { resolve: async () => ({ addresses: ['127.0.0.1', '169.254.169.254'] }) },
      403,
      'address_forbidden',
      'ssrf.denied',
    ],
    ['there is no address', { resolve: async () => ({ addresses: [] }) }, 502, 'resolve_failed', 'denied'],
    [
      'the name servers are silent',
      { resolve: async () => Promise.reject(new Error('silence')) },
      502,
      'resolve_failed',
      'denied',
    ],
  ])('%s', async (_what, options, status, code, type) => {
    await start(options);
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status, code });
    expect(await entriesOf(gateway, answer)).toEqual([{ type, code, status }]);
    expect(answer.text).not.toMatch(/10\.0\.0\.1|169\.254|silence/);
  });

  test.each([
    ['by its address', (port: number) => `http://127.0.0.1:${port}`],
    ['by a name', (port: number) => `http://localhost:${port}`],
    ['by an odd spelling of its address', (port: number) => `http://0x7f.1:${port}`],
  ])('the target is this gateway, %s', async (_what, baseUrl) => {
    await start();
    const { repositories, port } = gateway;
    await gateway.change(async (context) => {
      const found = await repositories.integrations.getByName(TENANT, 'api', context);
      if (found === undefined) throw new Error('no integration');
      await repositories.integrations.update(TENANT, found.id, { ...found.spec, baseUrl: baseUrl(port) }, {}, context);
    });
    const answer = await refused('/to/api/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 403, code: 'address_forbidden' });
    expect(await entriesOf(gateway, answer)).toEqual([{ type: 'ssrf.denied', code: 'address_forbidden', status: 403 }]);
  });

  test('an IPv6 upstream and one called localhost are reached by their judged addresses', async () => {
    await using six = await startUpstream({ host: '::1' });
    await start({
      integrations: [
        { name: 'six', baseUrl: six.url, network: LOOPBACK },
        { name: 'local', baseUrl: `http://localhost:${upstream.port}`, network: LOOPBACK },
      ],
    });
    expect((await call(gateway, '/to/six/x')).json().headers.host).toBe(`[::1]:${six.port}`);
    expect((await call(gateway, '/to/local/x')).json().headers.host).toBe(`localhost:${upstream.port}`);
  });
});

describe('stage 9, record the intent: refused when', () => {
  test('the store is closed under a caller it has just confirmed', async () => {
    await start();
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    await gateway.db.close();
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status: 503, code: 'audit_unavailable', retryable: true });
    expect(JSON.stringify(answer.problem())).not.toContain('database');
  });

  test('the journal is closed', async () => {
    await start();
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    await gateway.journal.close();
    expect((await refused()).problem()).toMatchObject({ status: 503, code: 'audit_unavailable' });
  });

  test('the journal fails in a way that nobody foresaw', async () => {
    const wrapJournal = (journal: CallJournal): CallJournal => ({
      ...journal,
      commitIntent: () => Promise.reject(new TypeError('unforeseen')),
    });
    await start({ wrapJournal });
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status: 500, code: 'internal_error' });
    expect(answer.text).not.toContain('unforeseen');
  });

  test('nothing goes out before the intent is durable', async () => {
    const order: string[] = [];
    const wrapJournal = (journal: CallJournal): CallJournal => ({
      ...journal,
      commitIntent: async (draft) => {
        await journal.commitIntent(draft);
        order.push(`durable, ${upstream.requests.length - before} sent`);
      },
    });
    await start({ wrapJournal });
    const before = upstream.requests.length;
    await call(gateway, '/to/api/x');
    expect(order).toEqual(['durable, 0 sent']);
    expect(upstream.requests.length - before).toBe(1);
  });
});

describe('the problem document', () => {
  test('has all members of RFC 9457 and ours, and every answer the request id', async () => {
    await start();
    const answer = await call(gateway, '/to/nothing/x');
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'postern-request-id': answer.problem().requestId,
    });
    expect(answer.problem()).toEqual({
      type: 'https://postern.dev/problems/unknown_integration',
      title: 'No such integration',
      status: 404,
      detail: expect.any(String),
      code: 'unknown_integration',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      retryable: false,
    });
    expect((await call(gateway, '/to/api/x')).headers['postern-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    ['application/json', true],
    ['application/json, text/plain, */*', true],
    ['*/*', false],
    ['application/problem+json', false],
  ])('has the member that SDKs of JSON APIs look for, for Accept: %s: %s', async (accept, has) => {
    await start();
    const problem = (await call(gateway, '/to/nothing/x', { headers: { accept } })).json();
    const error = { type: 'postern', code: 'unknown_integration', message: problem.detail };
    expect(problem.error).toEqual(has ? error : undefined);
  });
});
