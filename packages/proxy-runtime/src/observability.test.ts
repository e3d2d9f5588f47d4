import { describe, expect, onTestFinished, test } from 'vitest';
import { type AttemptRecord, withProxyObservability } from './observability.ts';
import { type ProxyRequest, proxyRequest } from './proxy-request.ts';
import { answers, startRawUpstream } from './raw-upstream.test-support.ts';
import { createUpstreamClient } from './upstream-client.ts';
import type { UpstreamConfig } from './upstream-config.ts';

async function observe(onRequest: Parameters<typeof startRawUpstream>[0], timeouts: UpstreamConfig['timeouts'] = {}) {
  const upstream = await startRawUpstream(onRequest);
  const client = createUpstreamClient({
    name: 'demo',
    baseUrl: `http://127.0.0.1:${upstream.port}`,
    network: { unsafeAllowAddresses: ['127.0.0.1/32'] },
    timeouts,
    limits: { concurrency: 4 },
  });
  onTestFinished(async () => {
    await client.lane.transport.destroy();
    await upstream.close();
  });
  const records: AttemptRecord[] = [];
  const errors: string[] = [];
  const shares: number[] = [];
  let clockMs = 0;
  const handler = withProxyObservability(proxyRequest, {
    onAttempt: (record) => records.push(record),
    onError: (errorClass, name) => errors.push(`${name}:${errorClass}`),
    onSaturation: (share) => shares.push(share),
    nowMs: () => {
      clockMs += 7;
      return clockMs;
    },
  });
  const send = (request: Partial<ProxyRequest> = {}) =>
    handler({ requestId: 'req-1' }, client, { method: 'GET', path: '/secret-path', ...request });
  return { send, records, errors, shares };
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
      { upstream: 'demo', requestId: 'req-1', method: 'GET', attempt: 1, retries: 0, latencyMs: 7, status: 404 },
    ]);
    expect(errors).toEqual([]);
    expect(shares).toEqual([0]);
  });

  test('tells which budget was spent, and passes the failure on', async () => {
    const { send, records, errors } = await observe(() => {}, { firstByteMs: 20 });
    await expect(send()).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(records).toEqual([
      expect.objectContaining({ code: 'upstream_timeout', timeout: 'firstByteMs', latencyMs: 7 }),
    ]);
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
    const { send, errors, shares } = await observe(() => {}, { firstByteMs: 60 });
    const calls = await Promise.allSettled([send(), send(), send(), send(), send()]);
    expect(calls.map((call) => call.status)).toEqual(Array(5).fill('rejected'));
    expect(errors.toSorted()).toEqual(['demo:upstream_saturated', ...Array(4).fill('demo:upstream_timeout')]);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  test('logs neither path nor headers nor body', async () => {
    const { send, records } = await observe((socket) => socket.resetAndDestroy());
    await expect(send({ method: 'POST', headers: { 'x-h': 'secret-header' }, body: 'secret-body' })).rejects.toThrow();
    expect(JSON.stringify(records)).not.toContain('secret');
  });
});
