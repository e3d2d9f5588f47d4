import { describe, expect, test } from 'vitest';
import { type ExchangeCall, startExchange } from './exchange.ts';
import { answers, exchangeOnce, get, RecordingSink, type Setting, setUp } from './raw-upstream.test-support.ts';
import {
  type Behaviour,
  busy,
  failingDialler,
  OK,
  reset,
  setUpScript,
  silent,
  status,
} from './scripted-upstream.test-support.ts';
import type { BodyStream, OutgoingRequest } from './transport.ts';

/** What may be followed by a second attempt of a safe method. */
const PASSING: [string, Behaviour][] = [
  ['a reset before the head', reset],
  ['a close before the head', (socket) => socket.end()],
  ['a reset within the head', (socket) => socket.write('HTTP/1.1 200 OK\r\nx', () => socket.resetAndDestroy())],
  ['bytes that are no HTTP', answers('SSH-2.0-x\r\n\r\n')],
  ['silence for firstByteMs', silent],
  ['502', status(502)],
  ['503', status(503)],
  ['504', status(504)],
  ['503 with a Retry-After', status(503, 'retry-after: 0\r\n')],
  ['429 with a Retry-After', status(429, 'retry-after: 0\r\n')],
];

/** What is never followed by a second attempt. */
const FINAL: [string, Behaviour][] = [
  ['200', status(200)],
  ['304', status(304)],
  ['400', status(400)],
  ['401', status(401)],
  ['404', status(404)],
  ['408', status(408, 'retry-after: 0\r\n')],
  ['409', status(409, 'retry-after: 0\r\n')],
  ['425', status(425, 'retry-after: 0\r\n')],
  ['429 without a Retry-After', status(429)],
  ['429 with a Retry-After that says nothing', status(429, 'retry-after: soon\r\n')],
  ['429 with a Retry-After beyond the deadline', status(429, 'retry-after: 31\r\n')],
  ['503 with a Retry-After beyond the deadline', status(503, 'retry-after: 31\r\n')],
  ['500', status(500, 'retry-after: 0\r\n')],
  ['501', status(501)],
  ['505', status(505)],
  ['a redirect elsewhere', status(302, 'location: https://evil.test/\r\n')],
  ['an answer over its limit', answers('HTTP/1.1 503 Busy\r\ncontent-length: 99999999999\r\n\r\n')],
  [
    'a reset within the body',
    (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', () => socket.resetAndDestroy()),
  ],
];

const FAST = { timeouts: { firstByteMs: 40 } };

describe('a safe method', () => {
  describe.each(['GET', 'HEAD', 'OPTIONS'])('%s', (method) => {
    test.each(PASSING)('is sent again after %s', async (_name, behaviour) => {
      const setting = await setUpScript([behaviour], FAST);
      const sink = await exchangeOnce(setting, get('/', { method }));
      expect(sink.failure).toBeUndefined();
      expect(sink.status).toBe(200);
      expect(setting.upstream.requests).toBe(2);
      expect(setting.lane.inFlight).toBe(0);
    });
  });

  test.each(FINAL)('is not sent again after %s', async (_name, behaviour) => {
    const setting = await setUpScript([behaviour], FAST);
    await exchangeOnce(setting);
    expect(setting.upstream.requests).toBe(1);
    expect(setting.lane.inFlight).toBe(0);
  });

  test('is sent again with the same bytes as body', async () => {
    const setting = await setUpScript([busy]);
    await exchangeOnce(setting, get('/', { body: Buffer.from('hello') }));
    const [first, second] = setting.upstream.received.split(/(?=GET )/);
    expect(first).toMatch(/content-length: 5\r\n\r\nhello$/);
    expect(second).toBe(first);
  });
});

describe('an unsafe method', () => {
  describe.each(['POST', 'PUT', 'PATCH', 'DELETE', 'MKCOL', 'get'])('%s', (method) => {
    test.each(PASSING)('is not sent again after %s', async (_name, behaviour) => {
      const setting = await setUpScript([behaviour], FAST);
      await exchangeOnce(setting, get('/', { method }));
      expect(setting.upstream.requests).toBe(1);
    });
  });

  test('is not sent again for the key that its client brought', async () => {
    const setting = await setUpScript([busy]);
    const headers = ['host', 'upstream.test', 'idempotency-key', 'k-1'];
    expect((await exchangeOnce(setting, get('/', { method: 'POST', headers }))).status).toBe(503);
    expect(setting.upstream.requests).toBe(1);
  });

  test.each(PASSING)(
    'is sent again after %s where the upstream is declared to honour keys',
    async (_name, behaviour) => {
      const { upstream, lane } = await setUpScript([behaviour], FAST);
      const sink = new RecordingSink();
      startExchange(lane, { target: upstream.target, request: get('/', { method: 'POST' }), honoursKeys: true }, sink);
      await sink.over.promise;
      expect([sink.status, upstream.requests]).toEqual([200, 2]);
    },
  );

  test('is not sent again when the upstream resets a kept connection as it is written to', async () => {
    const setting = await setUpScript([answers(OK), reset]);
    await exchangeOnce(setting);
    const { failure } = await exchangeOnce(setting, get('/', { method: 'POST', body: Buffer.from('x') }));
    expect(failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some' });
    expect([setting.upstream.requests, setting.upstream.accepted]).toEqual([2, 1]);
  });

  test('reaches an upstream that closes each connection unannounced never twice', async () => {
    const setting = await setUpScript(Array<Behaviour>(200).fill((socket) => socket.end(OK)));
    for (let call = 0; call < 200; call++) {
      const { failure } = await exchangeOnce(setting, get(`/${call}`, { method: 'POST', body: Buffer.from('x') }));
      if (failure !== undefined) expect(failure.code).toBe('upstream_reset');
    }
    const sent = setting.upstream.received.match(/POST \/\d+ /g) ?? [];
    expect(new Set(sent).size).toBe(sent.length);
    expect(sent.length).toBeGreaterThan(0);
  });
});

describe('a connection that was not made', () => {
  test.each(['ECONNREFUSED', 'EHOSTUNREACH', 'ECONNRESET', 'ETIMEDOUT', 'CERT_HAS_EXPIRED'])(
    '(%s) is tried again for any method',
    async (code) => {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const setting = await setUpScript([], failingDialler(2, code));
        const sink = await exchangeOnce(setting, get('/', { method, body: Buffer.from('x') }));
        expect(sink.failure).toBeUndefined();
        expect(setting.upstream.requests).toBe(1);
      }
    },
  );

  test('in the TLS handshake is tried again for any method, and nothing was sent', async () => {
    const { upstream, lane } = await setUp(() => {}, { retry: {} });
    const sink = new RecordingSink();
    const target = { ...upstream.target, scheme: 'https' as const };
    startExchange(lane, { target, request: get('/', { method: 'POST' }) }, sink);
    for (let seen = 0; seen < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      if (upstream.accepted === seen) continue;
      upstream.sockets[seen]?.resetAndDestroy();
      seen += 1;
    }
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
    expect(upstream.accepted).toBe(3);
  });

  test('within connectMs is tried again', async () => {
    const setting = await setUpScript([], { timeouts: { connectMs: 30 }, transport: { connector: () => () => {} } });
    const attempts: unknown[] = [];
    const { failure } = await told(setting, get('/', { method: 'POST' }), attempts);
    expect(failure).toMatchObject({ code: 'upstream_timeout', budget: 'connectMs', sentBytes: 'none' });
    expect(attempts).toHaveLength(3);
  });
});

/** As `exchangeOnce`, with the reports of the attempts. */
async function told({ upstream, lane }: Setting, request: OutgoingRequest, reports: unknown[]): Promise<RecordingSink> {
  const sink = new RecordingSink();
  const call: ExchangeCall = { target: upstream.target, request, onAttempt: (report) => void reports.push(report) };
  startExchange(lane, call, sink);
  await sink.over.promise;
  return sink;
}

describe('what lies on this side', () => {
  test('is not tried again: a request that cannot be written', async () => {
    const setting = await setUpScript([]);
    const attempts: unknown[] = [];
    const { failure } = await told(setting, get('/', { headers: ['host', 'a', 'x', 'a\r\nb'] }), attempts);
    expect(failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none', fault: 'caller' });
    expect(attempts).toHaveLength(1);
  });

  test('is not tried again: a body that cannot be opened', async () => {
    const setting = await setUpScript([]);
    const attempts: unknown[] = [];
    const body = (): BodyStream => {
      throw new Error('the file is gone');
    };
    const { failure } = await told(setting, get('/', { body }), attempts);
    expect(failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none', fault: 'caller' });
    expect([attempts.length, setting.upstream.accepted]).toEqual([1, 0]);
  });

  test('is not tried again: a body whose reading fails', async () => {
    const setting = await setUpScript([]);
    const body = async function* () {
      yield Buffer.from('some');
      throw new Error('the disk is gone');
    };
    const attempts: unknown[] = [];
    const { failure } = await told(setting, get('/', { body }), attempts);
    expect(failure).toMatchObject({ fault: 'caller', sentBytes: 'some', cause: { message: 'the disk is gone' } });
    expect(attempts).toHaveLength(1);
  });

  test('is not tried again: a closed transport', async () => {
    const setting = await setUpScript([]);
    await setting.lane.transport.close();
    const attempts: unknown[] = [];
    expect((await told(setting, get('/'), attempts)).failure).toMatchObject({ sentBytes: 'none', fault: 'caller' });
    expect(attempts).toHaveLength(1);
  });
});

describe('a streamed body', () => {
  async function* stream() {
    yield Buffer.from('he');
    yield Buffer.from('llo');
  }

  test('that can be read once is never sent again, not even when no connection was had', async () => {
    const answered = await setUpScript([busy]);
    expect((await exchangeOnce(answered, get('/', { body: stream(), bodyBytes: 5 }))).status).toBe(503);
    expect(answered.upstream.requests).toBe(1);
    const unreached = await setUpScript([], failingDialler(1, 'ECONNREFUSED'));
    const { failure } = await exchangeOnce(unreached, get('/', { method: 'PUT', body: stream(), bodyBytes: 5 }));
    expect(failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
  });

  test('that is made anew for each attempt is sent again whole', async () => {
    const setting = await setUpScript([busy, reset]);
    let made = 0;
    const body = () => {
      made += 1;
      return stream();
    };
    const sink = await exchangeOnce(setting, get('/', { body, bodyBytes: 5 }));
    expect(sink.status).toBe(200);
    expect(made).toBe(3);
    const requests = setting.upstream.received.split(/(?=GET )/);
    expect(requests.map((request) => request.endsWith('content-length: 5\r\n\r\nhello'))).toEqual([true, true, true]);
  });

  test('is left when its attempt breaks off, and read from its beginning by the next', async () => {
    const setting = await setUp(
      (socket, head) => void (head.startsWith('GET') && socket.write('HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n')),
      { retry: { attempts: 2 } },
    );
    const left: number[] = [];
    let made = 0;
    const body = async function* () {
      made += 1;
      const number = made;
      try {
        for (;;) {
          yield Buffer.alloc(1_024);
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        left.push(number);
      }
    };
    const sink = await exchangeOnce(setting, get('/', { body }));
    expect([sink.status, made]).toEqual([503, 2]);
    while (left.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(left.toSorted()).toEqual([1, 2]);
  });
});

describe('the number of attempts', () => {
  test('includes the first, and the last answer is passed on as it came', async () => {
    const last = answers('HTTP/1.1 503 Busy\r\nretry-after: 0\r\nx-n: 3\r\ncontent-length: 4\r\n\r\nlast');
    const setting = await setUpScript([busy, reset, last]);
    const sink = await exchangeOnce(setting);
    expect([sink.status, sink.body]).toEqual([503, 'last']);
    expect(sink.headers).toEqual(expect.arrayContaining(['retry-after', '0', 'x-n', '3']));
    expect(setting.upstream.requests).toBe(3);
  });

  test('of one means none again', async () => {
    const setting = await setUpScript([busy], { retry: { attempts: 1 } });
    expect((await exchangeOnce(setting)).status).toBe(503);
    expect(setting.upstream.requests).toBe(1);
  });

  test('is told with each further attempt, and why the one before failed', async () => {
    const { upstream, lane } = await setUpScript([reset, busy]);
    const retries: unknown[] = [];
    const sink = new RecordingSink();
    const onRetry = (...told: unknown[]) => void retries.push(told);
    startExchange(lane, { target: upstream.target, request: get('/'), onRetry }, sink);
    await sink.over.promise;
    expect(retries).toEqual([
      [2, 'upstream_reset'],
      [3, undefined],
    ]);
  });
});
