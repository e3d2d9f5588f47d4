import { once } from 'node:events';
import { createServer } from 'node:net';
import { startUpstream, type Upstream } from '@postern/testing';
import { describe, expect, test, vi } from 'vitest';
import { coder, startTraced } from './support/collector.ts';
import { call } from './support/http-client.ts';
import type { RunningGateway } from './support/start-gateway.ts';

describe('a collector that is no help', () => {
  const key = { 'postern-key': coder.key };
  const SMALL_QUEUE = {
    OTEL_BSP_MAX_QUEUE_SIZE: '16',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '8',
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
  };

  async function droppedSpans(gateway: RunningGateway): Promise<number> {
    const { text } = await call(gateway.adminUrl, '/metrics');
    return Number(/^postern_spans_dropped_total (\d+)$/m.exec(text)?.[1]);
  }

  /** Calls go on as if nothing were; the lost spans are counted, and it is told once. */
  async function expectNoHarm(upstream: Upstream, url: string): Promise<string> {
    await using gateway = await startTraced(upstream, { ...SMALL_QUEUE, OTEL_EXPORTER_OTLP_ENDPOINT: url });
    let slowestMs = 0;
    for (let round = 0; round < 10; round += 1) {
      const startedMs = performance.now();
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => call(gateway.dataUrl, '/to/api/x', { headers: key })),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    expect(slowestMs).toBeLessThan(3_000);
    await vi.waitFor(async () => expect(await droppedSpans(gateway)).toBeGreaterThan(300), { timeout: 10_000 });
    await vi.waitFor(() => expect(gateway.stderr()).toContain('telemetry not delivered'), { timeout: 10_000 });
    const stoppedAt = performance.now();
    expect(await gateway.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    const lines = gateway
      .stderr()
      .split('\n')
      .filter((line) => line.includes('telemetry not delivered'));
    expect(lines.filter((line) => line.includes('"signal":"traces"')).length).toBe(1);
    return gateway.stderr();
  }

  test('is gone', async () => {
    await using upstream = await startUpstream();
    const gone = await startUpstream();
    await gone.close();
    expect(await expectNoHarm(upstream, gone.url)).toContain('ECONNREFUSED');
  });

  test('takes connections and never answers', async () => {
    await using upstream = await startUpstream();
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    try {
      await expectNoHarm(upstream, `http://127.0.0.1:${port}`);
    } finally {
      silent.close();
    }
  });

  test('refuses, and says things that do not belong into a log', async () => {
    await using upstream = await startUpstream();
    await using refusing = await startUpstream({
      handler: (_request, response) => void response.writeHead(401, 'words-of-its-own').end('words-of-its-body'),
    });
    const log = await expectNoHarm(upstream, refusing.url);
    expect(log).toContain('status 401');
    expect(log).not.toContain('words-of-its');
  });
});
