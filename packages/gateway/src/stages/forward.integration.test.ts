import { startRawUpstream, startUpstream } from '@postern/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { call, openRaw, postJson } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import { entriesOf } from '../refused-call.fixture.ts';

let gateway: TestGateway;

afterEach(async () => {
  await gateway?.close();
});

describe('stage 11, forward: what the upstream does becomes', () => {
  const integrationOn = (port: number, more: object = {}) => ({
    integrations: [{ name: 'api', baseUrl: `http://127.0.0.1:${port}`, network: LOOPBACK, ...more }],
  });

  test.each<[string, Parameters<typeof startRawUpstream>[0], number, string, string]>([
    [
      'a connection that ends without an answer',
      (socket) => void socket.once('data', () => socket.end()),
      502,
      'upstream_reset',
      'unknown',
    ],
    [
      'a connection that is reset',
      (socket) => void socket.once('data', () => socket.resetAndDestroy()),
      502,
      'upstream_reset',
      'unknown',
    ],
    [
      'an answer that is not HTTP',
      (socket) => void socket.once('data', () => socket.end('SSH-2.0-x\r\n\r\n')),
      502,
      'upstream_reset',
      'unknown',
    ],
    ['silence', () => undefined, 504, 'upstream_timeout', 'unknown'],
    [
      'a redirect elsewhere',
      (socket) =>
        void socket.once('data', () =>
          socket.end('HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n'),
        ),
      502,
      'redirect_refused',
      'failed',
    ],
    [
      'a length over the limit',
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n')),
      502,
      'response_too_large',
      'failed',
    ],
  ])('%s', async (_what, behave, status, code, result) => {
    await using broken = await startRawUpstream(behave);
    gateway = await startTestGateway(
      integrationOn(broken.port, {
        timeouts: { firstByteMs: 200 },
        limits: { responseBytes: 1_000 },
      }) as TestGatewayOptions,
    );
    const answer = await call(gateway, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status, code });
    expect(answer.text).not.toMatch(/127\.0\.0\.1|evil|ECONN|SSH/);
    expect(await entriesOf(gateway, answer)).toEqual([{ type: 'intent' }, { type: 'outcome', code, result }]);
  });

  test('nobody at the port: certainly not sent', async () => {
    const gone = await startUpstream();
    await gone.close();
    gateway = await startTestGateway(integrationOn(gone.port));
    const answer = await call(gateway, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_unavailable', retryable: true });
    expect(await entriesOf(gateway, answer)).toEqual([
      { type: 'intent' },
      { type: 'outcome', code: 'upstream_unavailable', result: 'not_sent' },
    ]);
  });

  test('more calls at once than the integration allows: certainly not sent', async () => {
    await using slow = await startUpstream({ handler: () => undefined });
    gateway = await startTestGateway(integrationOn(slow.port, { limits: { concurrency: 1 } }));
    using first = await openRaw(gateway.port);
    first.write(`GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\n\r\n`);
    await slow.waitForRequests(1);
    const answer = await call(gateway, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 503, code: 'upstream_saturated', retryAfterSeconds: 1 });
    expect(answer.headers['retry-after']).toBe('1');
    expect(await entriesOf(gateway, answer)).toEqual([
      { type: 'intent' },
      { type: 'outcome', code: 'upstream_saturated', result: 'not_sent' },
    ]);
    expect(slow.requests.length).toBe(1);
  });

  test('an answer that breaks off: cut, and closed as failed', async () => {
    await using broken = await startRawUpstream((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'));
    });
    gateway = await startTestGateway(integrationOn(broken.port));
    await expect(call(gateway, '/to/api/x')).rejects.toThrow();
    await gateway.waitForCalls(1);
    const [, outcome] = await gateway.entries();
    expect(outcome).toMatchObject({ type: 'outcome', result: 'failed', status: 200, code: 'upstream_reset' });
  });
});

describe('stage 12, settle', () => {
  test('an answer that cannot be written into a document is not said to be unsent', async () => {
    await using deep = await startUpstream({
      handler: (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end('['.repeat(50_000) + ']'.repeat(50_000));
      },
    });
    gateway = await startTestGateway({ integrations: [{ name: 'api', baseUrl: deep.url, network: LOOPBACK }] });
    await postJson(gateway, '/v1/execute', { integration: 'api', request: { method: 'GET', path: '/x' } });
    const outcomes = await gateway.entries({ type: 'outcome' });
    expect(outcomes.map(({ result, status }) => ({ result, status }))).toEqual([{ result: 'done', status: 200 }]);
    expect(gateway.journal.stats().refusedRecords).toBe(0);
  });
});
