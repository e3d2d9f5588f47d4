import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import {
  answers,
  exchangeOnce,
  get,
  type LaneSettings,
  RecordingSink,
  type Setting,
  setUp,
} from './raw-upstream.test-support.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nx-a: 1\r\n';

interface Shape {
  readonly text: string;
  /** Where the body begins, and what it is when it is whole. */
  readonly headBytes: number;
  readonly body: string;
  /** The end of the connection is the end of the answer. */
  readonly endsWithConnection?: boolean;
}

function shape(fields: string, framed: string, body: string, more: Partial<Shape> = {}): Shape {
  const head = `${HEAD}${fields}\r\n`;
  return { text: head + framed, headBytes: head.length, body, ...more };
}

const SHAPES: [string, Shape][] = [
  ['a body with a length', shape('content-length: 5\r\n', 'hello', 'hello')],
  [
    'chunks and a trailer',
    shape('transfer-encoding: chunked\r\n', '2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx-t: 1\r\n\r\n', 'hello'),
  ],
  ['a body that ends with its connection', shape('', 'hello', 'hello', { endsWithConnection: true })],
  [
    'events',
    shape(
      'content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n',
      '8\r\ndata: a\n\r\n0\r\n\r\n',
      'data: a\n',
    ),
  ],
];

/** What comes of an answer of which the upstream sends only the first bytes, for every number of them. */
async function cutEverywhere(
  { text }: Shape,
  then: (socket: Socket) => unknown,
  settings: LaneSettings = {},
): Promise<{ setting: Setting; sinks: RecordingSink[] }> {
  const setting = await setUp(
    (socket, head) => {
      const count = Number(/^GET \/(\d+)/.exec(head)?.[1]);
      if (count === 0) then(socket);
      else socket.write(text.slice(0, count), 'latin1', () => then(socket));
    },
    { limits: { concurrency: 500 }, ...settings },
  );
  const counts = Array.from(text, (_character, count) => count);
  const sinks = await Promise.all(counts.map((count) => exchangeOnce(setting, get(`/${count}`))));
  return { setting, sinks };
}

/** No byte that was not sent, no end that was not sent. */
function expectTrue(sink: RecordingSink, count: number, { headBytes, body }: Shape): void {
  expect(sink.trailers).toBeUndefined();
  expect(body.startsWith(sink.body)).toBe(true);
  expect(sink.status).toBe(count >= headBytes ? 200 : undefined);
  expect(sink.failure?.headPassed).toBe(count >= headBytes);
}

describe.each(SHAPES)('%s', (_name, made) => {
  test('stalled at whatever byte spends a budget', async () => {
    const timeouts = { firstByteMs: 800, totalMs: 1_200, idleMs: 500 };
    const { setting, sinks } = await cutEverywhere(made, () => {}, { timeouts });
    for (const [count, sink] of sinks.entries()) {
      expectTrue(sink, count, made);
      expect(sink.failure).toMatchObject({ code: 'upstream_timeout', sentBytes: 'some' });
      const isStream = made.text.includes('event-stream');
      expect(sink.failure?.budget).toBe(count < made.headBytes ? 'firstByteMs' : isStream ? 'idleMs' : 'totalMs');
    }
    expect(setting.lane.inFlight).toBe(0);
  });

  test('closed at whatever byte is a reset, never a made-up end', async () => {
    const { sinks } = await cutEverywhere(made, (socket) => socket.end());
    for (const [count, sink] of sinks.entries()) {
      if (made.endsWithConnection && count >= made.headBytes) {
        expect([sink.failure, sink.body]).toEqual([undefined, made.text.slice(made.headBytes, count)]);
        continue;
      }
      expectTrue(sink, count, made);
      expect(sink.failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some' });
    }
  });

  test('reset at whatever byte is a reset, whatever had come of it', async () => {
    const { sinks } = await cutEverywhere(made, (socket) => socket.resetAndDestroy());
    for (const sink of sinks) {
      expect(sink.trailers).toBeUndefined();
      expect(made.body.startsWith(sink.body)).toBe(true);
      expect(sink.failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some' });
    }
  });

  test('is whole when it comes byte by byte', async () => {
    const setting = await setUp(async (socket) => {
      socket.setNoDelay(true);
      for (const byte of made.text) {
        socket.write(byte, 'latin1');
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (made.endsWithConnection) socket.end();
    });
    const sink = await exchangeOnce(setting);
    expect([sink.failure, sink.body]).toEqual([undefined, made.body]);
  });
});

describe('interim heads', () => {
  test.each([
    ['of every kind but 100 and 101', [102, 103, 104, 199]],
    ['without number', Array<number>(5_000).fill(103)],
  ])('%s are swallowed', async (_name, statuses) => {
    const interim = statuses.map((status) => `HTTP/1.1 ${status} X\r\nx-interim: 1\r\n\r\n`).join('');
    const setting = await setUp(answers(`${interim}${HEAD}content-length: 2\r\n\r\nok`));
    const sink = await exchangeOnce(setting);
    expect([sink.status, sink.headers, sink.body]).toEqual([200, ['x-a', '1', 'content-length', '2'], 'ok']);
  });

  test('without end do not put firstByteMs off', async () => {
    const setting = await setUp(
      (socket) => {
        const drip = setInterval(() => socket.write('HTTP/1.1 103 X\r\n\r\n'), 5);
        socket.on('close', () => clearInterval(drip));
      },
      { timeouts: { firstByteMs: 60 } },
    );
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'upstream_timeout', budget: 'firstByteMs' });
  });
});

describe('an upstream of HTTP/1.0', () => {
  test.each([
    ['with a length', 'content-length: 2\r\n\r\nok', 2],
    ['with a length, and keeps its connection', 'connection: keep-alive\r\ncontent-length: 2\r\n\r\nok', 1],
    ['without a length, and closes', '\r\nok', 2],
  ])('answers %s', async (_name, rest, connections) => {
    const isClosing = connections === 2;
    const setting = await setUp((socket) => {
      socket.write(`HTTP/1.0 200 OK\r\n${rest}`);
      if (isClosing) socket.end();
    });
    const bodies = [(await exchangeOnce(setting)).body, (await exchangeOnce(setting)).body];
    expect(bodies).toEqual(['ok', 'ok']);
    expect(setting.upstream.accepted).toBe(connections);
  });
});

describe('an upstream that answers before it has the request', () => {
  const LARGE = Buffer.alloc(8 * 1_048_576, 'x');

  test.each<[string, (socket: Socket) => void]>([
    ['and reads on', (socket) => void socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno')],
    ['and half closes', (socket) => void socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno')],
  ])('%s has its answer passed on', async (_name, answer) => {
    const setting = await setUp(() => {});
    const sink = new RecordingSink();
    const request = get('/', { method: 'POST', body: LARGE });
    startExchange(setting.lane, { target: setting.upstream.target, request }, sink);
    while (setting.upstream.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    answer(setting.upstream.sockets[0] as Socket);
    await sink.over.promise;
    expect([sink.status, sink.body]).toEqual([413, 'no']);
  });
});

describe('an event loop that was blocked', () => {
  const blockMs = (ms: number) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  };

  test('fails no call whose answer had arrived meanwhile', async () => {
    const setting = await setUp(
      (socket) => {
        socket.write(`${HEAD}content-length: 2\r\n\r\nok`);
        blockMs(200);
      },
      { timeouts: { connectMs: 5_000, firstByteMs: 100, totalMs: 150 } },
    );
    const sink = await exchangeOnce(setting);
    expect([sink.failure, sink.status, sink.body]).toEqual([undefined, 200, 'ok']);
  });

  test('fails no stream whose next event had arrived meanwhile', async () => {
    const setting = await setUp((socket) => socket.write(`${HEAD}content-type: text/event-stream\r\n\r\ndata: 1\n\n`), {
      timeouts: { idleMs: 100 },
    });
    const sink = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink);
    await sink.when(() => sink.bytes === 9);
    const socket = setting.upstream.sockets[0] as Socket;
    socket.write('data: 2\n\n');
    blockMs(200);
    await sink.when(() => sink.bytes === 18);
    socket.end();
    await sink.over.promise;
    expect(sink.failure).toBeUndefined();
  });

  test('fails no call whose connection came up meanwhile', async () => {
    const setting = await setUp(answers(`${HEAD}content-length: 2\r\n\r\nok`), { timeouts: { connectMs: 100 } });
    const sink = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink);
    blockMs(200);
    await sink.over.promise;
    expect([sink.failure, sink.body]).toEqual([undefined, 'ok']);
  });

  test('still fails a call whose answer had not arrived', async () => {
    const setting = await setUp(() => blockMs(200), { timeouts: { firstByteMs: 100 } });
    const { failure } = await exchangeOnce(setting);
    expect(failure).toMatchObject({ code: 'upstream_timeout', budget: 'firstByteMs' });
    const socket = setting.upstream.sockets[0] as Socket;
    if (!socket.destroyed) await once(socket, 'close');
  });
});
