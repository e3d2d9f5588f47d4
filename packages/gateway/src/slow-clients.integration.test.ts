import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type RawUpstream, readRequestHead, startRawUpstream, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRaw } from './client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from './gateway.fixture.ts';

const STALL_MS = 300;

let upstream: Upstream;
let raw: RawUpstream;
let behave: (socket: Socket) => void;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  raw = await startRawUpstream(async (socket) => {
    for (;;) {
      await readRequestHead(socket);
      behave(socket);
    }
  });
  gateway = await startTestGateway({
    integrations: [
      { name: 'api', baseUrl: upstream.url, network: LOOPBACK },
      { name: 'raw', baseUrl: raw.url, network: LOOPBACK, limits: { responseBytes: 100_000_000 } },
    ],
    listener: { stallMs: STALL_MS, sweepMs: 20 },
  });
});

afterAll(async () => {
  await gateway?.close();
  for (const server of [upstream, raw]) await server?.close();
});

const OWN = () => `Host: localhost\r\nPostern-Key: ${gateway.key}\r\n`;
const post = (fields: string) => `POST /to/api/x HTTP/1.1\r\n${OWN()}${fields}\r\n`;

describe('a client that stops in the middle of its body', () => {
  test.each([
    ['of a small length', 'Content-Length: 100\r\n', 'abc'],
    ['of a large length', 'Content-Length: 5000000\r\n', 'abc'],
    ['of chunks', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'],
    ['before its first byte', 'Content-Length: 100\r\n', ''],
    ['that it was asked for', 'Content-Length: 100\r\nExpect: 100-continue\r\n', ''],
  ])('%s is 408, and its connection ends', async (_what, fields, body) => {
    const before = upstream.requests.length;
    const ended = gateway.calls.length;
    using connection = await openRaw(gateway.port);
    connection.write(post(fields) + body);
    if (fields.includes('Expect')) expect((await connection.read()).status).toBe(100);
    const answer = await connection.read();
    expect(answer.problem()).toMatchObject({ status: 408, code: 'request_timeout', retryable: true });
    expect(answer.headers['connection']).toBe('close');
    expect((await connection.rest).byteLength).toBe(0);
    await gateway.waitForCalls(ended + 1);
    expect(gateway.calls.at(-1)).toMatchObject({ code: 'request_timeout', agent: 'coder' });
    expect(upstream.requests.length).toBe(before);
    expect(gateway.gateway.bodyMemory.heldBytes).toBe(0);
  });

  test('and drips on is waited for', async () => {
    using connection = await openRaw(gateway.port);
    connection.write(post('Content-Length: 8\r\n'));
    const started = performance.now();
    let left = 8;
    const timer = setInterval(() => {
      connection.write('a');
      left -= 1;
      if (left === 0) clearInterval(timer);
    }, STALL_MS / 4);
    const answer = await connection.read();
    clearInterval(timer);
    expect([answer.status, answer.json().body]).toEqual([200, 'aaaaaaaa']);
    expect(performance.now() - started).toBeGreaterThan(STALL_MS);
  });
});

describe('a client that does not read its answer', () => {
  const total = 50_000_000;
  const answer = (socket: Socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
    const piece = Buffer.alloc(1_000_000);
    for (let sent = 0; sent < total; sent += piece.byteLength) socket.write(piece);
  };

  test('is cut, and the upstream is let go', async () => {
    const { promise: left, resolve } = Promise.withResolvers<void>();
    behave = (socket) => {
      socket.once('close', () => resolve());
      answer(socket);
    };
    const client = connect(gateway.port, '127.0.0.1');
    client.on('error', () => undefined);
    await once(client, 'connect');
    client.pause();
    client.write(`GET /to/raw/x HTTP/1.1\r\n${OWN()}\r\n`);
    await left;
    client.destroy();
  });

  test('but slowly gets all of it', async () => {
    behave = answer;
    const client = connect(gateway.port, '127.0.0.1');
    await once(client, 'connect');
    client.write(`GET /to/raw/x HTTP/1.1\r\n${OWN()}\r\n`);
    let received = 0;
    const started = performance.now();
    for await (const chunk of client) {
      received += (chunk as Buffer).byteLength;
      // About 30 pauses of 20 ms each.
      if (received % 1_500_000 < 65_536) {
        client.pause();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      if (received >= total) break;
    }
    expect(received).toBeGreaterThanOrEqual(total);
    expect(performance.now() - started).toBeGreaterThan(STALL_MS);
  });

  test('a large document of the gateway’s own is no reason to wait for ever either', async () => {
    behave = answer;
    const client = connect(gateway.port, '127.0.0.1');
    client.on('error', () => undefined);
    await once(client, 'connect');
    client.pause();
    const body = JSON.stringify({ integration: 'raw', request: { method: 'GET', path: '/x' } });
    client.write(
      `POST /v1/execute HTTP/1.1\r\n${OWN()}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const sockets = () =>
      new Promise<number>((resolve) => gateway.server.getConnections((_error, count) => resolve(count)));
    const ended = gateway.calls.length;
    await gateway.waitForCalls(ended + 1);
    while ((await sockets()) > 0) await new Promise(setImmediate);
    client.destroy();
  });
});

describe('a connection between two requests', () => {
  test('may be idle for longer than a client may stop', async () => {
    using connection = await openRaw(gateway.port);
    const whoami = `GET /v1/whoami HTTP/1.1\r\n${OWN()}\r\n`;
    connection.write(whoami);
    await connection.read();
    await new Promise((resolve) => setTimeout(resolve, STALL_MS * 2));
    connection.write(whoami);
    expect((await connection.read()).json().agent).toBe('coder');
  });

  test('a call that the upstream takes long for is not the client’s stop', async () => {
    behave = (socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), STALL_MS * 2);
    };
    using connection = await openRaw(gateway.port);
    connection.write(`POST /to/raw/x HTTP/1.1\r\n${OWN()}Content-Length: 2\r\n\r\nab`);
    expect((await connection.read()).text).toBe('ok');
  });
});

describe('more connections than the gateway takes', () => {
  test('are told so, and the others go on', async () => {
    await using small = await startTestGateway({ listener: { connectionsMax: 2 } });
    using first = await openRaw(small.port);
    using second = await openRaw(small.port);
    const whoami = `GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${small.key}\r\n\r\n`;
    first.write(whoami);
    expect((await first.read()).status).toBe(200);
    using third = await openRaw(small.port);
    const refused = await third.read();
    expect(refused.problem()).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
    expect(refused.headers['retry-after']).toBe('1');
    expect((await third.rest).byteLength).toBe(0);
    second.write(whoami);
    expect((await second.read()).status).toBe(200);
    first.socket.destroy();
    third.socket.destroy();
    const count = () => new Promise<number>((resolve) => small.server.getConnections((_error, open) => resolve(open)));
    while ((await count()) > 1) await new Promise(setImmediate);
    using fourth = await openRaw(small.port);
    fourth.write(whoami);
    expect((await fourth.read()).status).toBe(200);
  });
});
