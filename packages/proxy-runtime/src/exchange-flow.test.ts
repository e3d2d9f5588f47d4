import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import { get, RecordingSink, setUp } from './raw-upstream.test-support.ts';

const EVENT_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n';

describe('a stream of events', () => {
  test('passes each event before the next is sent', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write(EVENT_HEAD));
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.head.promise;
    expect(sink.isStream).toBe(true);
    const socket = upstream.sockets[0] as Socket;
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      const seen = sink.bytes + event.length;
      socket.write(event);
      await sink.when(() => sink.bytes === seen);
    }
    socket.end();
    await sink.over.promise;
    expect(sink.failure).toBeUndefined();
    expect(sink.chunks).toEqual(['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']);
  });

  test('outlives totalMs as long as it is not silent', async () => {
    const { upstream, lane } = await setUp(
      (socket) => {
        socket.write(EVENT_HEAD);
        let sent = 0;
        const events = setInterval(() => {
          sent += 1;
          socket.write('data: 1\n\n');
          if (sent === 12) socket.end();
        }, 10);
        socket.on('close', () => clearInterval(events));
      },
      { timeouts: { totalMs: 40, idleMs: 2_000 } },
    );
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.over.promise;
    expect(sink.failure).toBeUndefined();
    expect(sink.bytes).toBe(12 * 9);
  });

  test('that falls silent spends idleMs', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write(`${EVENT_HEAD}data: 1\n\n`), {
      timeouts: { idleMs: 40 },
    });
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code: 'upstream_timeout', budget: 'idleMs', headPassed: true });
    expect(sink.bytes).toBe(9);
  });

  test('that never ends spends streamMs', async () => {
    const { upstream, lane } = await setUp(
      (socket) => {
        socket.write(EVENT_HEAD);
        const events = setInterval(() => socket.write(':\n\n'), 5);
        socket.on('close', () => clearInterval(events));
      },
      { timeouts: { idleMs: 2_000, streamMs: 60 } },
    );
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ budget: 'streamMs' });
  });

  test('is not silent while its reader pauses', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write(`${EVENT_HEAD}data: 1\n\n`), {
      timeouts: { idleMs: 30, streamMs: 90 },
    });
    const sink = new RecordingSink();
    sink.takesMore = false;
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ budget: 'streamMs' });
  });

  test('is silent again once its reader goes on', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write(`${EVENT_HEAD}data: 1\n\n`), {
      timeouts: { idleMs: 30 },
    });
    const sink = new RecordingSink();
    sink.takesMore = false;
    const exchange = startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.when(() => sink.bytes === 9);
    sink.takesMore = true;
    exchange.resume();
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ budget: 'idleMs' });
  });
});

describe('a slow reader', () => {
  const SIZE = 32 * 1024 * 1024;

  test('stalls the upstream instead of filling memory, and gets every byte in the end', async () => {
    const block = Buffer.alloc(64 * 1024, 'x');
    const { upstream, lane } = await setUp(
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${SIZE}\r\n\r\n`);
        for (let sent = 0; sent < SIZE; sent += block.length) socket.write(block);
      },
      { limits: { responseBytes: SIZE } },
    );
    const sink = new RecordingSink();
    sink.chunks.push = () => 0;
    sink.takesMore = false;
    const exchange = startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.when(() => sink.bytes > 0);
    const socket = upstream.sockets[0] as Socket;
    let queued = -1;
    while (queued !== socket.writableLength) {
      queued = socket.writableLength;
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sink.bytes).toBeLessThanOrEqual(128 * 1024);
    expect(queued).toBeGreaterThan(SIZE / 4);
    sink.takesMore = true;
    exchange.resume();
    await sink.over.promise;
    expect(sink.failure).toBeUndefined();
    expect(sink.bytes).toBe(SIZE);
  });
});

describe('a client that leaves', () => {
  test('while the upstream works closes the connection and hears nothing more', async () => {
    const { upstream, lane } = await setUp(() => {});
    const sink = new RecordingSink();
    const exchange = startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await upstream.heads(1);
    const closed = once(upstream.sockets[0] as Socket, 'close');
    exchange.abort();
    await closed;
    expect(lane.inFlight).toBe(0);
    expect(sink.failure).toBeUndefined();
    expect(sink.trailers).toBeUndefined();
  });

  test('in the middle of a body closes the connection', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    const sink = new RecordingSink();
    const exchange = startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.when(() => sink.bytes === 3);
    const closed = once(upstream.sockets[0] as Socket, 'close');
    exchange.abort();
    exchange.abort();
    await closed;
    expect(sink.failure).toBeUndefined();
    expect(lane.inFlight).toBe(0);
  });

  test('before the connection is up sends nothing', async () => {
    let connect = () => {};
    const { upstream, lane } = await setUp(() => {}, {
      transport: {
        connector: () => (_options, callback) => {
          connect = () => callback(new Error('too late'), null);
        },
      },
    });
    const sink = new RecordingSink();
    const exchange = startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    exchange.abort();
    connect();
    await lane.transport.close();
    expect(sink.failure).toBeUndefined();
    expect(upstream.accepted).toBe(0);
  });
});
