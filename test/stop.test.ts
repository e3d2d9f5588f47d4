import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { auditEvents } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

const coder = newAgent('coder');
const headers = { 'postern-key': coder.key };

let upstream: Upstream;
let gateway: RunningGateway;
/** The upstream's side of the stream, once it has begun. */
let streaming: PromiseWithResolvers<ServerResponse>;

beforeEach(async () => {
  streaming = Promise.withResolvers();
  upstream = await startUpstream({
    handler: (request, response) => {
      if (request.url !== '/stream') return void response.end('ok');
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 0\n\n');
      streaming.resolve(response);
    },
  });
  gateway = await startGateway({ config: configOf([coder], [integration('api', upstream.url)]) });
});

afterEach(async () => {
  await gateway?.close();
  await upstream?.close();
});

/** A client in the middle of a stream, on a connection that it would keep. */
async function beginStream(): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(Number(new URL(gateway.dataUrl).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.write(`GET /to/api/stream HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\n\r\n`);
  await vi.waitFor(() => expect(text).toContain('data: 0'), 5_000);
  return { socket, text: () => text };
}

const refusesConnections = () =>
  vi.waitFor(() => expect(call(gateway.dataUrl, '/readyz')).rejects.toThrow('ECONNREFUSED'), 5_000);

describe('SIGTERM', () => {
  test('a stream under way ends whole, nothing new is taken, and the exit code is 0', async () => {
    const client = await beginStream();
    const upstreamSide = await streaming.promise;
    gateway.process.kill('SIGTERM');
    await refusesConnections();
    // The control plane still tells how it stands.
    expect((await call(gateway.adminUrl, '/readyz')).status).toBe(503);
    expect((await call(gateway.adminUrl, '/healthz')).status).toBe(200);
    for (const count of [1, 2, 3]) {
      upstreamSide.write(`data: ${count}\n\n`);
      await vi.waitFor(() => expect(client.text()).toContain(`data: ${count}`), 5_000);
    }
    upstreamSide.end('data: end\n\n');
    await once(client.socket, 'close');
    expect(client.text()).toMatch(/data: end\n\n\r\n0\r\n\r\n$/);
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
    await expect(call(gateway.adminUrl, '/healthz')).rejects.toThrow('ECONNREFUSED');
    expect(existsSync(path.join(gateway.dataFolder, 'run.json'))).toBe(false);
    await using again = await startGateway({ dataFolder: gateway.dataFolder });
    const entries = await auditEvents(again);
    expect(entries.filter(({ url }) => url?.endsWith('/stream')).map(({ type, result }) => [type, result])).toEqual([
      ['intent', undefined],
      ['outcome', 'done'],
    ]);
  });

  test('while it stops, the gateway says on open connections that it is not ready', async () => {
    const client = await beginStream();
    const upstreamSide = await streaming.promise;
    gateway.process.kill('SIGTERM');
    await refusesConnections();
    client.socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    upstreamSide.end('data: end\n\n');
    await once(client.socket, 'close');
    const [, readyz = ''] = client.text().split('\r\n0\r\n\r\n');
    expect(readyz).toMatch(/^HTTP\/1\.1 503 /);
    expect(JSON.parse(readyz.split('\r\n\r\n')[1] ?? '')).toMatchObject({ dependencies: { listener: 'stopping' } });
    expect((await gateway.exited).code).toBe(0);
  });

  test.each<[string, string]>([
    ['idle after a request', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['that has not said anything yet', ''],
    ['that has begun a head', 'GET /healthz HTTP/1.1\r\nHost:'],
  ])('a connection %s does not hold it up', async (_state, bytes) => {
    const socket = connect(Number(new URL(gateway.dataUrl).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(bytes);
    if (bytes.endsWith('\r\n\r\n')) await once(socket, 'data');
    // Whatever the connection sent has arrived by the time that a later one is answered.
    await call(gateway.dataUrl, '/healthz');
    const startedMs = performance.now();
    expect(await gateway.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  test('a second signal ends it at once', async () => {
    const client = await beginStream();
    gateway.process.kill('SIGTERM');
    await refusesConnections();
    expect((await gateway.kill('SIGINT')).code).not.toBe(0);
    client.socket.destroy();
  });
});

describe('two gateways on one data folder', () => {
  test('the second is refused and says why, the first goes on', async () => {
    const refused = await startRefused({ dataFolder: gateway.dataFolder });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(gateway.dataFolder);
    expect(refused.stderr).toContain('POSTERN_DATA_DIR');
    expect(refused.stderr).not.toContain('    at ');
    // Also for what it keeps in files.
    const body = Buffer.alloc(2_000_000);
    expect((await call(gateway.dataUrl, '/to/api/x', { headers, body })).status).toBe(200);
    expect(existsSync(path.join(gateway.dataFolder, 'run.json'))).toBe(true);
  });

  test('once the first has ended, however it ended, another may start', async () => {
    await gateway.kill('SIGKILL');
    await using again = await startGateway({ dataFolder: gateway.dataFolder });
    expect((await call(again.dataUrl, '/readyz')).status).toBe(200);
  });
});
