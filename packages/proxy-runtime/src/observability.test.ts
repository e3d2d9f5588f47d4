import { describe, expect, onTestFinished, test } from 'vitest';
import { type AttemptRecord, type ProxyObserver, withProxyObservability } from './observability.ts';
import { type ProxyRequest, proxyRequest } from './proxy-request.ts';
import { answers, startRawUpstream } from './raw-upstream.test-support.ts';
import { createUpstreamClient } from './upstream-client.ts';
import type { UpstreamConfig } from './upstream-config.ts';

async function observe(onRequest: Parameters<typeof startRawUpstream>[0], config: Partial<UpstreamConfig> = {}) {
  const upstream = await startRawUpstream(onRequest);
  const client = createUpstreamClient({
    name: 'demo',
    baseUrl: `http://127.0.0.1:${upstream.port}`,
    network: { unsafeAllowAddresses: ['127.0.0.1/32'] },
    limits: { concurrency: 4 },
    retry: { attempts: 1 },
    ...config,
  });
  onTestFinished(async () => {
    await client.lane.transport.destroy();
    await upstream.close();
  });
  const records: AttemptRecord[] = [];
  const errors: string[] = [];
  const shares: number[] = [];
  const observer: ProxyObserver = {
    onAttempt: (record) => void records.push(record),
    onError: (errorClass, name) => void errors.push(`${name}:${errorClass}`),
    onSaturation: (share) => void shares.push(share),
  };
  const handler = withProxyObservability(proxyRequest, observer);
  const send = (request: Partial<ProxyRequest> = {}) =>
    handler({ requestId: 'req-1' }, client, { method: 'GET', path: '/secret-path', ...request });
  return { send, client, observer, records, errors, shares };
}

describe('an observed handler', () => {
  test('tells upstream, latency, status and retries of an answer', async () => {
    const { send, records, errors, shares } = await observe(
      answers('HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno'),
    );
    const answer = await send();
    let bytes = 0;
    for await (const chunk of answer.body) bytes += chunk.length;
    expect(bytes).toBe(2);
    expect(records).toEqual([
      {
        upstream: 'demo',
        requestId: 'req-1',
        method: 'GET',
        attempt: 1,
        retries: 0,
        latencyMs: expect.any(Number),
        status: 404,
      },
    ]);
    expect(records[0]?.latencyMs).toBeGreaterThan(0);
    expect(errors).toEqual([]);
    expect(shares).toEqual([0]);
  });

  test('tells which budget was spent, and passes the failure on', async () => {
    const { send, records, errors } = await observe(() => {}, { timeouts: { firstByteMs: 20 } });
    await expect(send()).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(records).toEqual([
      expect.objectContaining({ code: 'upstream_timeout', timeout: 'firstByteMs', diagnostic: expect.any(String) }),
    ]);
    expect(records[0]?.latencyMs).toBeGreaterThanOrEqual(19);
    expect(records[0]?.status).toBeUndefined();
    expect(errors).toEqual(['demo:upstream_timeout']);
  });

  test('counts a failure after the head as an error of its class', async () => {
    const { send, records, errors } = await observe((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'),
    );
    const answer = await send();
    const reading = (async () => {
      for await (const chunk of answer.body) expect(chunk.length).toBe(3);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'upstream_reset' });
    expect(records).toHaveLength(1);
    expect(errors).toEqual(['demo:upstream_reset']);
  });

  test('tells how full the upstream is, and of calls refused for that', async () => {
    const { send, errors, shares } = await observe(() => {}, { timeouts: { firstByteMs: 60 } });
    const calls = await Promise.allSettled([send(), send(), send(), send(), send()]);
    expect(calls.map((call) => call.status)).toEqual(Array(5).fill('rejected'));
    expect(errors.toSorted()).toEqual(['demo:upstream_saturated', ...Array(4).fill('demo:upstream_timeout')]);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  test('tells of each attempt, and counts the failed ones', async () => {
    let requests = 0;
    const { send, records, errors } = await observe(
      (socket) => {
        requests += 1;
        if (requests === 1) socket.resetAndDestroy();
        else if (requests === 2) socket.write('HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n');
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      },
      { retry: { baseMs: 1 } },
    );
    expect(await send()).toMatchObject({ status: 200, attempts: 3 });
    expect(records.map(({ attempt, retries, status, code }) => ({ attempt, retries, status, code }))).toEqual([
      { attempt: 1, retries: 0, status: undefined, code: 'upstream_reset' },
      { attempt: 2, retries: 1, status: 503, code: undefined },
      { attempt: 3, retries: 2, status: 200, code: undefined },
    ]);
    expect(errors).toEqual(['demo:upstream_reset']);
  });

  test('tells of a call that the breaker refused', async () => {
    const { send, records, errors } = await observe((socket) => socket.resetAndDestroy(), { breaker: { failures: 1 } });
    await expect(send()).rejects.toMatchObject({ code: 'upstream_reset' });
    await expect(send()).rejects.toMatchObject({ code: 'circuit_open', retryAfterSeconds: 30 });
    expect(records.map(({ code }) => code)).toEqual(['upstream_reset', 'circuit_open']);
    expect(errors).toEqual(['demo:upstream_reset', 'demo:circuit_open']);
  });

  test('that tells of no attempt itself has its answer told, also to the context', async () => {
    const { client, records, observer } = await observe(answers(''));
    const body = (async function* () {})();
    const quiet = withProxyObservability(async () => ({ status: 204, headers: {}, body, attempts: 2 }), observer);
    const told: number[] = [];
    const ctx = { onAttempt: ({ attempt }: { attempt: number }) => void told.push(attempt) };
    await quiet(ctx, client, { method: 'GET', path: '/' });
    expect(records).toEqual([expect.objectContaining({ attempt: 2, retries: 1, status: 204 })]);
    expect(told).toEqual([2]);
  });

  test('logs neither path nor headers nor body', async () => {
    const { send, records } = await observe((socket) => socket.resetAndDestroy());
    await expect(send({ method: 'POST', headers: { 'x-h': 'secret-header' }, body: 'secret-body' })).rejects.toThrow();
    expect(JSON.stringify(records)).not.toContain('secret');
  });
});
