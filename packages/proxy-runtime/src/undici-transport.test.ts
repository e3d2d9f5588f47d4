import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startExchange } from './exchange.ts';
import type { UpstreamLane } from './lane.ts';
import { answers, get, laneFor, RecordingSink, setUp, targetOf } from './raw-upstream.test-support.ts';
import { type PinnedTarget, poolKey, poolPrefix } from './transport.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

async function call(lane: UpstreamLane, target: PinnedTarget, path = '/'): Promise<RecordingSink> {
  const sink = new RecordingSink();
  startExchange(lane, { target, request: get(path) }, sink);
  await sink.over.promise;
  return sink;
}

describe('a warm connection', () => {
  const other = poolKey({ tenant: 'other', integration: 'demo', scheme: 'http', host: 'upstream.test', port: 1 });

  test.each<[string, Partial<PinnedTarget>]>([
    ['another pool key', { poolKey: other }],
    ['another address', { address: '127.0.0.2' }],
    ['another host', { host: 'second.test' }],
    ['another private authority', { tls: { ca: 'x' } }],
    ['another TLS name', { tls: { servername: 'x.test' } }],
  ])('never serves %s', async (_name, over) => {
    const { upstream, lane } = await setUp(answers(OK));
    await call(lane, upstream.target);
    await call(lane, targetOf(upstream.port, { poolKey: upstream.target.poolKey, ...over }));
    expect(upstream.accepted).toBe(over.address === undefined ? 2 : 1);
  });

  test('serves an equal target', async () => {
    const { upstream, lane } = await setUp(answers(OK));
    await call(lane, upstream.target);
    await call(lane, { ...upstream.target });
    expect(upstream.accepted).toBe(1);
  });

  test('is closed when the verdict names another address', async () => {
    const { upstream, lane } = await setUp(answers(OK));
    await call(lane, upstream.target);
    const closed = once(upstream.sockets[0] as Socket, 'close');
    const sink = new RecordingSink();
    startExchange(lane, { target: { ...upstream.target, address: '127.0.0.2' }, request: get('/') }, sink).abort();
    await closed;
  });

  test('of an age above its life is closed and a new one dialled', async () => {
    const { upstream, lane } = await setUp(answers(OK), { transport: { connectionTtlMs: 0 } });
    await call(lane, upstream.target);
    await call(lane, upstream.target);
    expect(upstream.accepted).toBe(2);
  });

  test('without work is closed after its keep-alive', async () => {
    const { upstream, lane } = await setUp(answers(OK), { transport: { keepAliveMs: 20 } });
    await call(lane, upstream.target);
    await once(upstream.sockets[0] as Socket, 'close');
    expect((await call(lane, upstream.target)).body).toBe('ok');
    expect(upstream.accepted).toBe(2);
  });

  test('goes to the call after the one that failed only when that did not break it', async () => {
    const { upstream, lane } = await setUp((socket, head) => {
      socket.write(head.startsWith('GET /slow') ? 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab' : OK);
    });
    const sink = new RecordingSink();
    const exchange = startExchange(lane, { target: upstream.target, request: get('/slow') }, sink);
    await sink.when(() => sink.bytes === 2);
    exchange.abort();
    expect((await call(lane, upstream.target, '/fast')).body).toBe('ok');
    expect(upstream.accepted).toBe(2);
  });
});

describe('closing pools by prefix', () => {
  test('closes the idle connections of that integration and of no other', async () => {
    const { upstream, lane } = await setUp(answers(OK));
    const parts = { scheme: 'http', host: 'upstream.test', port: upstream.port };
    const mine = targetOf(upstream.port, { poolKey: poolKey({ tenant: 'a', integration: 'git', ...parts }) });
    const neighbour = targetOf(upstream.port, { poolKey: poolKey({ tenant: 'a', integration: 'github', ...parts }) });
    await call(lane, mine);
    await call(lane, neighbour);
    const closed = once(upstream.sockets[0] as Socket, 'close');
    expect(lane.transport.closePools(poolPrefix('a', 'git'))).toBe(1);
    await closed;
    await call(lane, neighbour);
    expect(upstream.accepted).toBe(2);
    await call(lane, mine);
    expect(upstream.accepted).toBe(3);
  });

  test('lets a running call end, and its connection with it', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab'));
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await sink.when(() => sink.bytes === 2);
    expect(lane.transport.closePools('')).toBe(1);
    const socket = upstream.sockets[0] as Socket;
    const closed = once(socket, 'close');
    socket.write('cd');
    await sink.over.promise;
    expect(sink.body).toBe('abcd');
    await closed;
  });
});

test('the least recently used idle pool gives way when there are too many', async () => {
  const { upstream, lane } = await setUp(answers(OK), { transport: { idlePoolsMax: 2 } });
  const targets = ['a', 'b', 'c'].map((tenant) => {
    const parts = { tenant, integration: 'demo', scheme: 'http', host: 'upstream.test', port: upstream.port };
    return targetOf(upstream.port, { poolKey: poolKey(parts) });
  });
  const [a, b, c] = targets as [PinnedTarget, PinnedTarget, PinnedTarget];
  await call(lane, a);
  await call(lane, b);
  await call(lane, a);
  const closed = once(upstream.sockets[1] as Socket, 'close');
  await call(lane, c);
  await closed;
  await call(lane, a);
  expect(upstream.accepted).toBe(3);
});

describe('closing the transport', () => {
  test('waits for the running call and refuses new ones', async () => {
    const { upstream, lane } = await setUp((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab'));
    const running = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, running);
    await running.when(() => running.bytes === 2);
    let isClosed = false;
    const closing = lane.transport.close().then(() => {
      isClosed = true;
    });
    const refused = await call(lane, upstream.target);
    expect(refused.failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
    expect(isClosed).toBe(false);
    upstream.sockets[0]?.write('cd');
    await closing;
    expect(running.body).toBe('abcd');
  });

  test('by force breaks the running call off', async () => {
    const { upstream, lane } = await setUp(() => {});
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/') }, sink);
    await upstream.heads(1);
    await lane.transport.destroy();
    expect(sink.failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some' });
    expect(lane.inFlight).toBe(0);
  });

  test('without any connection is done at once', async () => {
    const lane = laneFor({ port: 1 });
    await lane.transport.close();
    await lane.transport.destroy();
    expect(lane.inFlight).toBe(0);
  });
});

test('proxy variables of the environment play no part', async () => {
  const before = process.env.HTTP_PROXY;
  process.env.HTTP_PROXY = 'http://127.0.0.1:1';
  onTestFinished(() => {
    if (before === undefined) delete process.env.HTTP_PROXY;
    else process.env.HTTP_PROXY = before;
  });
  const { upstream, lane } = await setUp(answers(OK));
  expect((await call(lane, upstream.target)).body).toBe('ok');
});

test('many calls at once each get their own answer', async () => {
  const { upstream, lane } = await setUp((socket, head) => {
    const path = head.split(' ')[1] as string;
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
  });
  for (let round = 0; round < 5; round++) {
    const paths = Array.from({ length: 40 }, (_, i) => `/${round}/${i}`);
    const sinks = await Promise.all(paths.map((path) => call(lane, upstream.target, path)));
    expect(sinks.map((sink) => sink.body)).toEqual(paths);
  }
  expect(upstream.accepted).toBeLessThanOrEqual(40);
});
