import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, eventualAuditEvents } from './support/audit-log.ts';
import { expectProblem } from './support/catalogue.ts';
import { type Answer, type CallOptions, call } from './support/http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const other = newAgent('other');
let upstream: Upstream;
let gateway: RunningGateway;

const HOUR = 3_600;
/** A rule for one integration, whose calls no other rule counts. */
const pace = (id: string, name: string, limit: object, more: object = {}) => {
  return { id, effect: 'rate_limit', integrations: [name], limit: { perSeconds: HOUR, ...limit }, ...more };
};

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answerWith((_request, response) => void response.writeHead(200, { RateLimit: '"theirs";r=9' }).end('ok'));
  const names = ['plain', 'two', 'perhost', 'failing', 'conditional', 'shadowed', 'execute', 'explained', 'denied'];
  const integrations = [
    ...names.map((name) => integration(name, `${upstream.url}/v1`)),
    integration('gone', 'http://127.0.0.1:1/v1', {
      network: { ports: [1], unsafeAllowAddresses: ['127.0.0.1/32'] },
      retry: { attempts: 1 },
    }),
    integration('unresolved', 'https://nowhere.invalid'),
    integration('locked', `${upstream.url}/v1`, { credential: { type: 'bearer', secret: 'prod' } }),
  ];
  const rules = [
    ALLOW_ALL,
    pace('plain', 'plain', { requests: 2 }),
    pace('narrow', 'two', { requests: 2, perSeconds: 60 }),
    pace('wide', 'two', { requests: 5, per: ['integration'] }),
    pace('each', 'perhost', { requests: 1, per: ['method', 'agent'] }),
    pace('fails', 'failing', { requests: 1 }, { when: 'request.headers["x-missing"] == "1"' }),
    pace('posts', 'conditional', { requests: 1 }, { when: 'request.method == "POST"' }),
    pace('silent', 'shadowed', { requests: 1 }, { shadow: true }),
    pace('documents', 'execute', { requests: 1 }),
    pace('told', 'explained', { requests: 3 }),
    pace('refused', 'denied', { requests: 1 }),
    { id: 'no-deletes', effect: 'deny', integrations: ['denied'], methods: ['DELETE'] },
    ...['gone', 'unresolved', 'locked'].map((name) => pace(`back-${name}`, name, { requests: 1 })),
  ];
  const secrets = { prod: { value: 'sealed-0123456789', environments: ['prod'] } };
  gateway = await startGateway({ config: configOf([coder, other], integrations, { rules, secrets }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const to = (path: string, options: CallOptions = {}, key = coder.key) =>
  call(gateway.dataUrl, `/to/${path}`, { ...options, headers: { 'postern-key': key, ...options.headers } });
const post = (path: string, document: object) =>
  call(gateway.dataUrl, path, {
    headers: { 'postern-key': coder.key, 'content-type': 'application/json' },
    body: JSON.stringify(document),
  });

function expectLimited(answer: Answer): void {
  expectProblem(answer, 429, 'rate_limited');
  const { retryAfterSeconds, retryable } = answer.problem();
  expect(retryable).toBe(true);
  expect(Number(answer.headers['retry-after'])).toBe(retryAfterSeconds);
  expect(retryAfterSeconds).toBeGreaterThan(0);
  expect(retryAfterSeconds).toBeLessThanOrEqual(HOUR + 4);
}

describe('a rate limit', () => {
  test('lets pass what it says, tells what is left, and refuses the next call before anything is sent', async () => {
    const first = await to('plain/a');
    expect(first.status).toBe(200);
    expect(first.headers['ratelimit-policy']).toBe(`"plain";q=2;w=${HOUR}`);
    expect(first.headers['ratelimit']).toMatch(/^"theirs";r=9, "plain";r=1;t=\d+$/);
    expect((await to('plain/a')).headers['ratelimit']).toContain('"plain";r=0;');
    const sent = upstream.requests.length;
    const refused = await to('plain/a');
    expectLimited(refused);
    expect(refused.headers['ratelimit']).toMatch(/^"plain";r=0;t=\d+$/);
    expect(refused.headers['ratelimit-policy']).toBe(`"plain";q=2;w=${HOUR}`);
    expect(upstream.requests.length).toBe(sent);
    const requestId = refused.headers['postern-request-id'] ?? '';
    const [entry] = await eventualAuditEvents(gateway, { requestId });
    expect(entry).toMatchObject({ type: 'denied', code: 'rate_limited', decision: 'allow', rule: 'all' });
    expect(await auditEvents(gateway, { requestId, type: 'intent' })).toEqual([]);
  });

  test('is not evaded by another query, path, spelling or way in', async () => {
    for (const path of ['plain/a?x=1', 'plain/b', 'plain//a', 'plain/%61?', 'plain/a/../c', 'plain'])
      expectLimited(await to(path));
    expectLimited(
      await post('/v1/execute', { integration: 'plain', request: { method: 'GET', path: '/z', query: { q: '1' } } }),
    );
    expectLimited(await to('plain/a', { method: 'POST', body: 'x', headers: { 'x-http-method-override': 'GET' } }));
  });

  test('counts for each agent apart where it says so', async () => {
    expect((await to('plain/a', {}, other.key)).status).toBe(200);
  });

  test('of two windows each counts by itself, and a call that one refuses spends none', async () => {
    expect((await to('two/a')).headers['ratelimit']).toMatch(/"narrow";r=1;t=\d+, "wide";r=4;t=\d+$/);
    expect((await to('two/a')).status).toBe(200);
    for (let again = 0; again < 3; again += 1) {
      const refused = await to('two/a');
      expectLimited(refused);
      expect(refused.headers['ratelimit']).toMatch(/^"narrow";r=0;t=\d+, "wide";r=3;t=\d+$/);
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(61);
    }
    const rest = await Promise.all([1, 2, 3].map(() => to('two/a', {}, other.key)));
    expect(rest.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  });

  test('keeps a counter for each of its dimensions', async () => {
    expect((await to('perhost/a')).status).toBe(200);
    expectLimited(await to('perhost/b'));
    expect((await to('perhost/a', { method: 'DELETE' })).status).toBe(200);
    expect((await to('perhost/a', {}, other.key)).status).toBe(200);
  });

  test('whose condition fails counts all the same', async () => {
    expect((await to('failing/a')).status).toBe(200);
    expectLimited(await to('failing/a'));
  });

  test('whose condition is not met counts nothing', async () => {
    for (let again = 0; again < 3; again += 1) {
      const passed = await to('conditional/a');
      expect(passed.status).toBe(200);
      expect(passed.headers['ratelimit-policy']).toBeUndefined();
    }
    expect((await to('conditional/a', { method: 'POST' })).status).toBe(200);
    expectLimited(await to('conditional/a', { method: 'POST' }));
    expect((await to('conditional/a')).status).toBe(200);
  });

  test('in shadow refuses nothing and stands in the log', async () => {
    for (let again = 0; again < 3; again += 1) expect((await to('shadowed/a')).status).toBe(200);
    await vi.waitFor(() => {
      expect(gateway.stderr()).toContain('"shadow":[{"rule":"silent","effect":"rate_limit","matched":true}]');
    });
  });

  test('is told by execute too', async () => {
    const call = { integration: 'execute', request: { method: 'GET', path: '/a' } };
    expect((await post('/v1/execute', call)).headers['ratelimit']).toMatch(/^"documents";r=0;t=\d+$/);
    expectLimited(await post('/v1/execute', call));
  });

  test('is explained without being spent', async () => {
    const explain = async () =>
      (await post('/v1/explain', { integration: 'explained', request: { method: 'GET', path: '/a' } })).json().limits;
    await to('explained/a');
    for (let again = 0; again < 3; again += 1) {
      expect(await explain()).toEqual([
        { rule: 'told', requests: 3, perSeconds: HOUR, per: ['agent'], remaining: 2, resetSeconds: expect.any(Number) },
      ]);
    }
    expect((await to('explained/a')).headers['ratelimit']).toContain('"told";r=1;');
  });

  test('does not count what policy denies', async () => {
    for (let again = 0; again < 3; again += 1) expectProblem(await to('denied/a', { method: 'DELETE' }), 403, 'denied');
    expect((await to('denied/a')).status).toBe(200);
  });
});

describe('a call that certainly was not sent is given back', () => {
  test.each([
    ['gone', 502, 'upstream_unavailable'],
    ['unresolved', 502, 'resolve_failed'],
    ['locked', 503, 'credential_unavailable'],
  ])('by %s: %d %s', async (name, status, code) => {
    for (let again = 0; again < 3; again += 1) expectProblem(await to(`${name}/a`), status, code);
  });

  test('and one that may have been sent is not', async () => {
    upstream.answerWith((_request, response) => void response.destroy());
    expectProblem(await to('perhost/a', { method: 'POST', body: 'x' }), 502, 'upstream_reset');
    expectLimited(await to('perhost/a', { method: 'POST', body: 'x' }));
  });
});

test('many calls at once never pass more than the limit', async () => {
  upstream.answerWith((_request, response) => void response.end('ok'));
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => to('perhost/a', { method: 'PUT', body: 'x' }, other.key)),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(19);
});
