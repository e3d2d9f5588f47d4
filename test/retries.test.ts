import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, outcomeOf } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const headers = { 'postern-key': coder.key };

type Step = (response: ServerResponse) => unknown;

/** What the upstream does with the first requests to a path; all further ones it answers 200. */
const scripts = new Map<string, Step[]>();

const answerWith =
  (status: number, fields: Record<string, string> = {}): Step =>
  (response) =>
    response.writeHead(status, fields).end(`answered ${status}`);
const busy = answerWith(503);
const reset: Step = (response) => response.socket?.resetAndDestroy();
const silent: Step = () => undefined;

/** Quick waits; no breaker and no risk in the way. */
const QUICK = {
  retry: { baseMs: 10, maxMs: 20 },
  breaker: { failures: 1_000 },
  actions: [
    {
      name: 'all',
      methods: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'],
      paths: ['/**'],
      risk: 'low',
    },
  ],
};

const IN_TIME = { ...QUICK, timeouts: { firstByteMs: 300, totalMs: 5_000 } };

/** What may be followed by a second attempt of a safe method. */
const PASSING: [string, Step][] = [
  ['a reset', reset],
  ['no first byte in time', silent],
  ['502', answerWith(502)],
  ['503', busy],
  ['504', answerWith(504)],
  ['429 with a Retry-After that fits', answerWith(429, { 'retry-after': '0' })],
];

let upstream: Upstream;
let gateway: RunningGateway;
let downPort: number;

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

beforeAll(async () => {
  upstream = await startUpstream({
    handler: (request, response) => void (scripts.get(request.url)?.shift() ?? answerWith(200))(response),
  });
  downPort = await freePort();
  const integrations = [
    integration('api', upstream.url, IN_TIME),
    integration('once', upstream.url, { ...QUICK, retry: { attempts: 1 } }),
    ...PASSING.map((_case, number) => integration(`twice-${number}`, upstream.url, IN_TIME)),
    integration('loaded', upstream.url, QUICK),
    integration('single', upstream.url, { ...QUICK, limits: { concurrency: 1 } }),
    integration('down', `http://127.0.0.1:${downPort}`, { ...QUICK, retry: { attempts: 5, baseMs: 400, maxMs: 400 } }),
    integration('gone', `http://127.0.0.1:${await freePort()}`, QUICK),
  ];
  gateway = await startGateway({
    config: configOf([coder], integrations),
    environment: { POSTERN_LOG_LEVEL: 'debug' },
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

let paths = 0;

/** A path of its own with this script. */
function scripted(...steps: Step[]): string {
  paths += 1;
  const path = `/case-${paths}`;
  scripts.set(path, steps);
  return path;
}

const requestsTo = (path: string) => upstream.requests.filter(({ url }) => url === path);
const send = (path: string, method = 'GET', name = 'api') =>
  call(gateway.dataUrl, `/to/${name}${path}`, { method, headers });
const execute = (path: string, method = 'GET') =>
  call(gateway.dataUrl, '/v1/execute', {
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ integration: 'api', request: { method, path } }),
  });
const requestIdOf = (answer: Answer) => answer.headers['postern-request-id'];

describe('a call that is tried again', () => {
  test('is one call: its requests are equal, its outcome, line and metrics tell the attempts', async () => {
    const path = scripted(reset, busy);
    const answer = await send(path);
    expect([answer.status, answer.text]).toEqual([200, 'answered 200']);
    const [first, ...others] = requestsTo(path).map(({ rawHeaders }) => rawHeaders);
    expect(others).toEqual([first, first]);
    expect(first).toContain(requestIdOf(answer));

    const entries = await auditEvents(gateway, { requestId: requestIdOf(answer) ?? '' });
    const outcome = await outcomeOf(gateway, requestIdOf(answer));
    expect(outcome).toMatchObject({ result: 'done', status: 200, attempt: 3 });
    expect(entries.filter(({ type }) => type === 'intent')).toHaveLength(1);

    const lines = await vi.waitFor(() => {
      const found = logLines(requestIdOf(answer));
      expect(found.some(({ msg }) => msg === 'call')).toBe(true);
      return found;
    });
    const attempts = lines.filter(({ msg }) => msg === 'attempt');
    expect(attempts).toMatchObject([
      { level: 40, integration: 'api', attempt: 1, retries: 0, code: 'upstream_reset' },
      { level: 20, integration: 'api', attempt: 2, retries: 1, status: 503 },
      { level: 20, integration: 'api', attempt: 3, retries: 2, status: 200 },
    ]);
    expect(attempts.every(({ latencyMs }) => typeof latencyMs === 'number')).toBe(true);
    expect(lines.find(({ msg }) => msg === 'call')).toMatchObject({ attempt: 3, status: 200 });

    const metrics = (await call(gateway.adminUrl, '/metrics')).text;
    expect(metrics).toMatch(/^postern_upstream_retries_total\{integration="api"\} [2-9]/m);
    expect(metrics).toMatch(/^postern_upstream_errors_total\{class="upstream_reset"\} [1-9]/m);
  });

  test('and that succeeded at once bears no count', async () => {
    const outcome = await outcomeOf(gateway, requestIdOf(await send(scripted())));
    expect(outcome).not.toHaveProperty('attempt');
  });

  test('is tried again for /v1/execute too', async () => {
    const path = scripted(busy, silent);
    const answer = await execute(path);
    expect(answer.json()).toMatchObject({ status: 200, bodyText: 'answered 200' });
    expect(requestsTo(path)).toHaveLength(3);
    expect(await outcomeOf(gateway, answer.json().requestId)).toMatchObject({ attempt: 3 });
  });

  test('gets the last answer as it came, with all of its header and body', async () => {
    const path = scripted(busy, busy, answerWith(503, { 'retry-after': '0', 'x-n': '3' }));
    const answer = await send(path);
    expect([answer.status, answer.text, answer.headers['retry-after'], answer.headers['x-n']]).toEqual([
      503,
      'answered 503',
      '0',
      '3',
    ]);
    expect(await outcomeOf(gateway, requestIdOf(answer))).toMatchObject({ result: 'done', status: 503, attempt: 3 });
  });

  test('sends a body from the disk anew each time', async () => {
    const path = scripted(busy, reset);
    const body = randomBytes(3 * 1_048_576);
    const answer = await call(gateway.dataUrl, `/to/api${path}`, { method: 'GET', headers, body });
    expect(answer.status).toBe(200);
    const digests = requestsTo(path).map((request) => createHash('sha256').update(request.body).digest('hex'));
    expect(digests).toEqual(Array(3).fill(createHash('sha256').update(body).digest('hex')));
  });
});

function logLines(requestId: string | undefined): Record<string, unknown>[] {
  const lines = gateway
    .stderr()
    .split('\n')
    .filter((line) => line.includes(requestId ?? '-'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('what may be sent twice', () => {
  // Each on an integration of its own: the retry budget is not what this is about.
  const numbered = PASSING.map(([name, step], number) => [name, step, `twice-${number}`] as const);

  test.each(numbered)('GET, HEAD and OPTIONS after %s', async (_name, step, name) => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const path = scripted(step);
      expect((await send(path, method, name)).status).toBe(200);
      expect(requestsTo(path)).toHaveLength(2);
    }
  });

  test.each(PASSING)('never POST, PUT, PATCH or DELETE after %s, whatever key came with them', async (_name, step) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const path = scripted(step);
      await call(gateway.dataUrl, `/to/api${path}`, {
        method,
        headers: { ...headers, 'idempotency-key': `k-${path}` },
      });
      expect(requestsTo(path)).toHaveLength(1);
    }
  });

  test.each<[string, Step]>([
    ['429 without a Retry-After', answerWith(429)],
    ['429 with a Retry-After beyond the deadline', answerWith(429, { 'retry-after': '60' })],
    ['503 with a Retry-After beyond the deadline', answerWith(503, { 'retry-after': 'Fri, 31 Dec 2999 23:59:59 GMT' })],
    ['500', answerWith(500)],
    ['404', answerWith(404, { 'retry-after': '0' })],
  ])('nothing after %s: it is passed on at once', async (_name, step) => {
    const path = scripted(step);
    const startedAt = performance.now();
    const answer = await send(path);
    expect(answer.status).toBeGreaterThanOrEqual(404);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(requestsTo(path)).toHaveLength(1);
  });

  test('nothing where the integration allows one attempt', async () => {
    const path = scripted(busy);
    expect((await send(path, 'GET', 'once')).status).toBe(503);
    expect(requestsTo(path)).toHaveLength(1);
  });

  test('what a Retry-After asks for is waited', async () => {
    const path = scripted(answerWith(429, { 'retry-after': '1' }));
    const startedAt = performance.now();
    expect((await send(path)).status).toBe(200);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(999);
  });
});

describe('a call that never reached the upstream', () => {
  test('is tried again whatever its method, arrives once, and is recorded as done', async () => {
    const calling = call(gateway.dataUrl, '/to/down/late', { method: 'POST', headers, body: 'pay' });
    await vi.waitFor(() => expect(gateway.stderr()).toMatch(/"integration":"down","attempt":1,/));
    const bodies: string[] = [];
    const late = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      bodies.push(Buffer.concat(chunks).toString());
      response.end('there');
    }).listen(downPort, '127.0.0.1');
    try {
      const answer = await calling;
      expect([answer.status, answer.text, bodies]).toEqual([200, 'there', ['pay']]);
      const outcome = await outcomeOf(gateway, requestIdOf(answer));
      expect(outcome).toMatchObject({ result: 'done', status: 200 });
      expect(outcome.attempt).toBeGreaterThan(1);
    } finally {
      late.closeAllConnections();
      late.close();
    }
  });

  test('after its last attempt is refused, and recorded as not sent', async () => {
    const answer = await send('/x', 'POST', 'gone');
    expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_unavailable', retryable: true });
    expect(await outcomeOf(gateway, answer.problem().requestId)).toMatchObject({ result: 'not_sent', attempt: 3 });
  });
});

describe('a failure after several attempts', () => {
  test('of which one may have arrived is recorded as unknown', async () => {
    const answer = await send(scripted(reset, reset, reset));
    expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_reset' });
    expect(await outcomeOf(gateway, answer.problem().requestId)).toMatchObject({ result: 'unknown', attempt: 3 });
  });
});

describe('a client that leaves while its call waits', () => {
  test('ends it: nothing more is sent, and its place is free', async () => {
    const path = scripted(answerWith(503, { 'retry-after': '5' }));
    const client = connect(Number(new URL(gateway.dataUrl).port), '127.0.0.1');
    client.write(`GET /to/single${path} HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\n\r\n`);
    await vi.waitFor(() => expect(gateway.stderr()).toMatch(/"integration":"single","attempt":1,/));
    expect((await send(path, 'GET', 'single')).problem()).toMatchObject({ code: 'upstream_saturated' });
    client.destroy();
    await vi.waitFor(() => clientGoneAt(path), { timeout: 5_000 });
    expect((await send(scripted(), 'GET', 'single')).status).toBe(200);
    expect(requestsTo(path)).toHaveLength(1);
  });
});

/** Two calls went to the path; one of them was refused for want of a place. */
async function clientGoneAt(path: string): Promise<void> {
  const outcomes = (await auditEvents(gateway, { type: 'outcome' })).filter(({ url }) => url === upstream.url + path);
  expect(outcomes.map(({ code }) => code).sort()).toEqual(['client_gone', 'upstream_saturated']);
}

describe('the retry budget', () => {
  test('keeps a failing upstream under load to a fifth more than the calls', async () => {
    const path = scripted(...Array<Step>(1_000).fill(busy));
    for (let round = 0; round < 6; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => send(path, 'GET', 'loaded')));
      expect(answers.every(({ status }) => status === 503)).toBe(true);
    }
    const { length } = requestsTo(path);
    expect(length).toBeGreaterThan(310);
    expect(length).toBeLessThanOrEqual(360);
  });
});
