import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import { answers, exchangeOnce, get, RecordingSink, setUp } from './raw-upstream.test-support.ts';

describe('an ordinary answer', () => {
  test('passes status, headers, body and trailers', async () => {
    const setting = await setUp(
      answers(
        'HTTP/1.1 200 OK\r\nX-One: 1\r\nx-one: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\nx-sum: 9\r\n\r\n',
      ),
    );
    const sink = await exchangeOnce(setting);
    expect(sink.failure).toBeUndefined();
    expect(sink.status).toBe(200);
    expect(sink.headers).toEqual(['x-one', '1', 'x-one', '2', 'transfer-encoding', 'chunked']);
    expect(sink.body).toBe('abcde');
    expect(sink.trailers).toEqual(['x-sum', '9']);
    expect(setting.lane.inFlight).toBe(0);
  });

  test('goes over the connection of the one before', async () => {
    const setting = await setUp(answers('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
    await exchangeOnce(setting);
    const second = await exchangeOnce(setting);
    expect(second.body).toBe('ok');
    expect(setting.upstream.accepted).toBe(1);
  });

  test('comes after interim heads, which are swallowed', async () => {
    const setting = await setUp(
      answers('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    const sink = await exchangeOnce(setting);
    expect(sink.status).toBe(200);
    expect(sink.headers).toEqual(['content-length', '0']);
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 99999999\r\n\r\n'],
  ])('to %s without a body ends with its head: %j', async (method, text) => {
    const setting = await setUp(answers(text), { limits: { responseBytes: 10 } });
    const sink = await exchangeOnce(setting, get('/', { method }));
    expect(sink.failure).toBeUndefined();
    expect(sink.body).toBe('');
  });

  test('may end with its connection', async () => {
    const setting = await setUp((socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc'));
    const sink = await exchangeOnce(setting);
    expect(sink.failure).toBeUndefined();
    expect(sink.body).toBe('abc');
  });

  test('keeps bytes above ASCII in a header as they are', async () => {
    const setting = await setUp((socket) =>
      socket.write(Buffer.from('HTTP/1.1 200 OK\r\nx-name: caf\u00e9\r\ncontent-length: 0\r\n\r\n', 'latin1')),
    );
    const sink = await exchangeOnce(setting);
    expect(sink.headers).toContain('caf\u00e9');
  });
});

describe('a request', () => {
  test('goes out with its headers in order, its body and the length of that', async () => {
    const setting = await setUp(answers('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    const headers = ['host', 'upstream.test', 'X-B', '1', 'x-a', '2', 'x-b', '3'];
    await exchangeOnce(setting, get('/a?b=%2F', { method: 'POST', headers, body: Buffer.from('hello') }));
    expect(setting.upstream.received).toBe(
      'POST /a?b=%2F HTTP/1.1\r\nhost: upstream.test\r\nconnection: keep-alive\r\nX-B: 1\r\nx-a: 2\r\nx-b: 3\r\ncontent-length: 5\r\n\r\nhello',
    );
  });

  test('with a stream of known length is sent with that length', async () => {
    const setting = await setUp(answers('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    async function* body() {
      yield Buffer.from('he');
      yield Buffer.from('llo');
    }
    const sink = await exchangeOnce(setting, get('/', { method: 'PUT', body: body(), bodyBytes: 5 }));
    expect(sink.failure).toBeUndefined();
    expect(setting.upstream.received).toContain('content-length: 5\r\n\r\nhello');
  });

  test('with a stream of unknown length is sent in chunks', async () => {
    const { upstream, lane } = await setUp(() => {});
    async function* body() {
      yield Buffer.from('he');
      yield Buffer.from('llo');
    }
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/', { method: 'PUT', body: body() }) }, sink);
    await upstream.heads(1);
    const socket = upstream.sockets[0] as Socket;
    while (!upstream.received.endsWith('0\r\n\r\n')) await once(socket, 'data');
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    await sink.over.promise;
    expect(upstream.received).toContain('transfer-encoding: chunked');
    expect(upstream.received.endsWith('2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n')).toBe(true);
  });

  test('whose answer comes early is left off, and the next goes over a new connection', async () => {
    const { upstream, lane } = await setUp((socket) =>
      socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno'),
    );
    const left = Promise.withResolvers<void>();
    async function* body() {
      try {
        for (;;) {
          yield Buffer.from('some');
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        left.resolve();
      }
    }
    const early = await exchangeOnce({ upstream, lane }, get('/', { method: 'POST', body: body() }));
    expect(early.failure).toBeUndefined();
    expect([early.status, early.body]).toEqual([413, 'no']);
    await left.promise;
    const next = await exchangeOnce({ upstream, lane });
    expect([next.status, next.body]).toEqual([413, 'no']);
    expect(upstream.accepted).toBe(2);
  });

  test('whose own stream breaks off fails with that as its cause', async () => {
    const setting = await setUp(() => {});
    async function* body() {
      yield Buffer.from('some');
      throw new Error('the client left');
    }
    const { failure } = await exchangeOnce(setting, get('/', { method: 'POST', body: body() }));
    expect(failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some', cause: { message: 'the client left' } });
    expect(setting.upstream.received.endsWith('0\r\n\r\n')).toBe(false);
  });
});
