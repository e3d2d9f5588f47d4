import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import { answers, exchangeOnce, get, RecordingSink, setUp, targetOf } from './raw-upstream.test-support.ts';

const OK_HEAD = 'HTTP/1.1 200 OK\r\n';

describe('an upstream that cannot be reached', () => {
  test('and refuses connections is unavailable, with nothing sent', async () => {
    const setting = await setUp(() => {});
    await setting.upstream.close();
    const { failure } = await exchangeOnce(setting);
    expect(failure).toMatchObject({ code: 'upstream_unavailable', status: 502, sentBytes: 'none', headPassed: false });
    expect(setting.lane.inFlight).toBe(0);
  });

  test('and never takes the connection spends connectMs, with nothing sent', async () => {
    const setting = await setUp(() => {}, { timeouts: { connectMs: 30 }, transport: { connector: () => () => {} } });
    const { failure } = await exchangeOnce(setting);
    expect(failure).toMatchObject({ code: 'upstream_timeout', budget: 'connectMs', sentBytes: 'none', status: 504 });
  });

  test('and whose dialler throws is unavailable', async () => {
    const connector = () => () => {
      throw new Error('no such address');
    };
    const setting = await setUp(() => {}, { transport: { connector } });
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
  });

  test('and breaks the TLS handshake off is unavailable, with nothing sent', async () => {
    const { upstream, lane } = await setUp(() => {});
    const sink = new RecordingSink();
    const target = targetOf(upstream.port, { scheme: 'https' });
    startExchange(lane, { target, request: get('/') }, sink);
    while (upstream.accepted === 0) await new Promise((resolve) => setImmediate(resolve));
    upstream.sockets[0]?.resetAndDestroy();
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
  });

  test('because the request itself cannot be written is unavailable, with nothing sent', async () => {
    const setting = await setUp(() => {});
    const headers = ['host', 'upstream.test', 'x-bad', 'a\r\nb: c'];
    const { failure } = await exchangeOnce(setting, get('/', { headers }));
    expect(failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
    expect(setting.upstream.received).toBe('');
  });
});

describe('an upstream that is too slow', () => {
  test('and never answers spends firstByteMs', async () => {
    const setting = await setUp(() => {}, { timeouts: { firstByteMs: 40 } });
    const { failure } = await exchangeOnce(setting);
    expect(failure).toMatchObject({
      code: 'upstream_timeout',
      budget: 'firstByteMs',
      sentBytes: 'some',
      headPassed: false,
    });
    await once(setting.upstream.sockets[0] as Socket, 'close');
  });

  test('and drips its head spends firstByteMs all the same', async () => {
    const setting = await setUp(
      (socket) => {
        socket.write(OK_HEAD);
        const drip = setInterval(() => socket.write('x: 1\r\n'), 5);
        socket.on('close', () => clearInterval(drip));
      },
      { timeouts: { firstByteMs: 60 } },
    );
    expect((await exchangeOnce(setting)).failure).toMatchObject({ budget: 'firstByteMs', headPassed: false });
  });

  test('with its body spends totalMs, after the head had been passed', async () => {
    const setting = await setUp(
      (socket) => {
        socket.write(`${OK_HEAD}content-length: 1000\r\n\r\n`);
        const drip = setInterval(() => socket.write('x'), 5);
        socket.on('close', () => clearInterval(drip));
      },
      { timeouts: { totalMs: 60 } },
    );
    const sink = await exchangeOnce(setting);
    expect(sink.status).toBe(200);
    expect(sink.failure).toMatchObject({ code: 'upstream_timeout', budget: 'totalMs', headPassed: true });
    expect(sink.trailers).toBeUndefined();
  });

  test('to take a streamed request spends totalMs, not firstByteMs', async () => {
    const setting = await setUp(() => {}, { timeouts: { firstByteMs: 20, totalMs: 80 } });
    async function* body() {
      yield Buffer.from('a');
      await new Promise(() => {});
    }
    const { failure } = await exchangeOnce(setting, get('/', { method: 'PUT', body: body() }));
    expect(failure).toMatchObject({ budget: 'totalMs', sentBytes: 'some' });
  });
});

describe('an upstream that breaks off', () => {
  test.each([
    ['resets before the head', (socket: Socket) => socket.resetAndDestroy(), false],
    ['closes before the head', (socket: Socket) => socket.end(), false],
    ['closes within the head', (socket: Socket) => socket.end(`${OK_HEAD}content-le`), false],
    ['sends a short body', (socket: Socket) => socket.end(`${OK_HEAD}content-length: 9\r\n\r\nabc`), true],
    [
      'leaves out the last chunk',
      (socket: Socket) => socket.end(`${OK_HEAD}transfer-encoding: chunked\r\n\r\n1\r\na\r\n`),
      true,
    ],
    ['sends a bad chunk size', answers(`${OK_HEAD}transfer-encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n`), true],
    ['speaks no HTTP', answers('SSH-2.0-x\r\n\r\n'), false],
    ['switches protocols unasked', answers('HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'), false],
    [
      'names a length and chunks',
      answers(`${OK_HEAD}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`),
      false,
    ],
    ['names two lengths', answers(`${OK_HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab`), false],
    ['goes on with 100 unasked', answers(`HTTP/1.1 100 Continue\r\n\r\n${OK_HEAD}content-length: 0\r\n\r\n`), false],
    [
      'codes its chunks further',
      answers(`${OK_HEAD}transfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`),
      false,
    ],
    [
      'codes its body after the chunks',
      answers(`${OK_HEAD}transfer-encoding: chunked, gzip\r\n\r\n1\r\na\r\n0\r\n\r\n`),
      false,
    ],
    ['codes its body instead of chunks', answers(`${OK_HEAD}transfer-encoding: gzip\r\n\r\na`), false],
    [
      'names chunks in two fields',
      answers(`${OK_HEAD}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`),
      false,
    ],
    ['sends a length that is no number', answers(`${OK_HEAD}content-length: 1x\r\n\r\na`), false],
    ['sends a length below zero', answers(`${OK_HEAD}content-length: -1\r\n\r\na`), false],
    ['sends a status of two digits', answers('HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n'), false],
    ['speaks HTTP/2', answers('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), false],
    ['puts a space before a colon', answers(`${OK_HEAD}content-length : 0\r\n\r\n`), false],
    ['ends its lines with a bare CR', answers('HTTP/1.1 200 OK\rcontent-length: 0\r\r'), false],
    [
      'chunks of a size beyond all numbers',
      answers(`${OK_HEAD}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\na`),
      true,
    ],
    ['chunks longer than they say', answers(`${OK_HEAD}transfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n`), true],
    [
      'chunks shorter than they say',
      (socket: Socket) => socket.end(`${OK_HEAD}transfer-encoding: chunked\r\n\r\n5\r\nab`),
      true,
    ],
    ['folds a header line', answers(`${OK_HEAD}x: a\r\n b\r\ncontent-length: 0\r\n\r\n`), false],
  ])('%s: reset', async (_name, respond, headPassed) => {
    const setting = await setUp((socket) => void respond(socket));
    const sink = await exchangeOnce(setting);
    expect(sink.failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some', headPassed });
    expect(sink.trailers).toBeUndefined();
    expect(setting.lane.inFlight).toBe(0);
  });

  test.each([
    ['a body with a length', 'content-length: 9\r\n\r\n'],
    ['a body that would end with its connection', 'connection: close\r\n\r\n'],
  ])('resets within %s: reset, never an end', async (_name, framing) => {
    const setting = await setUp(answers(`${OK_HEAD}${framing}abc`));
    const sink = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink);
    await sink.when(() => sink.bytes === 3);
    setting.upstream.sockets[0]?.resetAndDestroy();
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code: 'upstream_reset', headPassed: true });
    expect(sink.trailers).toBeUndefined();
  });

  test('between two calls costs the second nothing', async () => {
    const setting = await setUp(answers(`${OK_HEAD}content-length: 0\r\n\r\n`));
    await exchangeOnce(setting);
    const socket = setting.upstream.sockets[0] as Socket;
    socket.end();
    await once(socket, 'close');
    const second = await exchangeOnce(setting);
    expect(second.failure).toBeUndefined();
    expect(setting.upstream.accepted).toBe(2);
  });

  test('with further bytes after its answer spoils no later call', async () => {
    const extra = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    const setting = await setUp(answers(`${OK_HEAD}content-length: 2\r\n\r\nok${extra}`));
    const first = await exchangeOnce(setting);
    const second = await exchangeOnce(setting);
    expect([first.body, second.body]).toEqual(['ok', 'ok']);
    expect(setting.upstream.accepted).toBe(2);
  });
});

describe('an upstream that sends too much', () => {
  const limits = { responseBytes: 10, streamBytes: 20 };
  const chunked = (bytes: number, type = 'text/plain') =>
    `${OK_HEAD}content-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`;
  const sized = (bytes: number, type = 'text/plain') =>
    `${OK_HEAD}content-type: ${type}\r\ncontent-length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`;

  test.each([
    ['exactly the limit by its length', sized(10), 10],
    ['exactly the limit in chunks', chunked(10), 10],
    ['exactly the limit of a stream by its length', sized(20, 'text/event-stream'), 20],
    ['exactly the limit of a stream in chunks', chunked(20, 'application/x-ndjson; charset=utf-8'), 20],
  ])('%s passes', async (_name, text, bytes) => {
    const sink = await exchangeOnce(await setUp(answers(text), { limits }));
    expect(sink.failure).toBeUndefined();
    expect(sink.bytes).toBe(bytes);
  });

  test.each([
    ['one byte more by its length', sized(11)],
    ['one byte more of a stream by its length', sized(21, 'Text/Event-Stream')],
    ['a length beyond all numbers', `${OK_HEAD}content-length: 9999999999999999\r\n\r\n`],
  ])('%s is refused before the head is passed', async (_name, text) => {
    const sink = await exchangeOnce(await setUp(answers(text), { limits }));
    expect(sink.failure).toMatchObject({ code: 'response_too_large', status: 502, headPassed: false });
    expect(sink.status).toBeUndefined();
    expect(sink.bytes).toBe(0);
  });

  test.each([
    ['one byte more in chunks', chunked(11), 10],
    ['one byte more of a stream in chunks', chunked(21, 'application/x-ndjson'), 20],
    ['one byte more until the connection ends', `${OK_HEAD}connection: close\r\n\r\n${'x'.repeat(11)}`, 10],
  ])('%s breaks off, with no more than the limit passed', async (_name, text, bytesMax) => {
    const sink = await exchangeOnce(await setUp(answers(text), { limits }));
    expect(sink.failure).toMatchObject({ code: 'response_too_large', headPassed: true });
    expect(sink.bytes).toBeLessThanOrEqual(bytesMax);
  });

  test.each([
    ['a head of many bytes', `x: ${'y'.repeat(40_000)}\r\n`],
    ['a head of very many small fields', 'x: 1\r\n'.repeat(257)],
  ])('%s is refused', async (_name, fields) => {
    const setting = await setUp(answers(`${OK_HEAD}${fields}content-length: 0\r\n\r\n`));
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'response_too_large', headPassed: false });
  });

  test('trailers without end are refused', async () => {
    const trailers = `x: ${'y'.repeat(40_000)}\r\n`;
    const setting = await setUp(answers(`${OK_HEAD}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailers}\r\n`));
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'response_too_large', headPassed: true });
  });
});

describe('more calls than the limit', () => {
  test('fail at once, and a place is free again after an end', async () => {
    let answer = () => {};
    const setting = await setUp(
      (socket) => {
        answer = () => socket.write(`${OK_HEAD}content-length: 0\r\n\r\n`);
      },
      { limits: { concurrency: 1 } },
    );
    const first = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/1') }, first);
    const { failure } = await exchangeOnce(setting, get('/2'));
    expect(failure).toMatchObject({ code: 'upstream_saturated', status: 503, retryable: true, sentBytes: 'none' });
    await setting.upstream.heads(1);
    answer();
    await first.over.promise;
    const third = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/3') }, third);
    await setting.upstream.heads(2);
    answer();
    await third.over.promise;
    expect(third.failure).toBeUndefined();
    expect(setting.upstream.received).not.toContain('/2');
  });

  test('of which one is taken back at once stay silent', async () => {
    const setting = await setUp(() => {}, { limits: { concurrency: 1 } });
    const running = startExchange(
      setting.lane,
      { target: setting.upstream.target, request: get('/') },
      new RecordingSink(),
    );
    const sink = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink).abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sink.failure).toBeUndefined();
    expect(setting.lane.inFlight).toBe(1);
    running.abort();
    expect(setting.lane.inFlight).toBe(0);
  });
});
