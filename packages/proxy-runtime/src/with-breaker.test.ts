import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type ExchangeCall, startExchange } from './exchange.ts';
import { createLane } from './lane.ts';
import {
  answers,
  exchangeOnce,
  get,
  type LaneSettings,
  RecordingSink,
  type Setting,
  setUp,
} from './raw-upstream.test-support.ts';

const OK = answers('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
const status = (code: number) => answers(`HTTP/1.1 ${code} X\r\ncontent-length: 0\r\n\r\n`);
const reset = (socket: Socket) => socket.resetAndDestroy();
const silent = () => {};

interface BreakerSetting extends Setting {
  readonly clock: { nowMs: number };
  /** What the upstream does with further requests. */
  behave: (socket: Socket) => unknown;
}

async function setUpBreaker(settings: LaneSettings = {}): Promise<BreakerSetting> {
  const clock = { nowMs: 50_000 };
  const breaker = { failures: 3, openMs: 30_000, ...settings.breaker };
  const made = await setUp((socket) => setting.behave(socket), { clock: () => clock.nowMs, ...settings, breaker });
  const setting: BreakerSetting = { ...made, clock, behave: reset };
  return setting;
}

async function callTimes(setting: Setting, times: number): Promise<void> {
  for (let call = 0; call < times; call++) await exchangeOnce(setting);
}

describe('an upstream that fails', () => {
  test.each<[string, (socket: Socket) => unknown]>([
    ['resets', reset],
    ['closes before its head', (socket) => socket.end()],
    ['speaks no HTTP', answers('SSH-2.0-x\r\n\r\n')],
    ['says nothing', silent],
    ['answers 502', status(502)],
    ['answers 503', status(503)],
    ['answers 504', status(504)],
  ])('is called no more once it has been %s too often', async (_name, behaviour) => {
    const setting = await setUpBreaker({ timeouts: { firstByteMs: 30 } });
    setting.behave = behaviour;
    await callTimes(setting, 3);
    expect(setting.lane.breakerState).toBe('open');
    const { failure } = await exchangeOnce(setting);
    expect(failure).toMatchObject({
      code: 'circuit_open',
      status: 503,
      retryable: true,
      sentBytes: 'none',
      headPassed: false,
      retryAfterSeconds: 30,
    });
    expect([setting.upstream.requests, setting.lane.inFlight]).toEqual([3, 0]);
  });

  test('is called no more when it cannot be reached', async () => {
    const setting = await setUpBreaker();
    await setting.upstream.close();
    await callTimes(setting, 3);
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'circuit_open' });
  });

  test('is called no more when nothing ever connects', async () => {
    const setting = await setUpBreaker({ timeouts: { connectMs: 20 }, transport: { connector: () => () => {} } });
    await callTimes(setting, 3);
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'circuit_open' });
  });

  test('and spends the whole time of its calls is called no more', async () => {
    const setting = await setUpBreaker({ timeouts: { firstByteMs: 30, totalMs: 30 } });
    setting.behave = silent;
    await callTimes(setting, 3);
    expect(setting.lane.breakerState).toBe('open');
  });
});

describe('an upstream that works', () => {
  test.each([200, 302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 501, 505])(
    'and answers %i is called for ever',
    async (code) => {
      const setting = await setUpBreaker();
      setting.behave = status(code);
      await callTimes(setting, 10);
      expect([setting.lane.breakerState, setting.upstream.requests]).toEqual(['closed', 10]);
    },
  );

  test.each<[string, (socket: Socket) => unknown]>([
    ['redirects elsewhere', answers('HTTP/1.1 302 X\r\nlocation: https://evil.test/\r\ncontent-length: 0\r\n\r\n')],
    ['answers with too much', answers('HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n')],
    ['breaks its bodies off', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab')],
  ])('and %s is called for ever', async (_name, behaviour) => {
    const setting = await setUpBreaker();
    setting.behave = behaviour;
    await callTimes(setting, 10);
    expect([setting.lane.breakerState, setting.upstream.requests]).toEqual(['closed', 10]);
  });

  test('is not blamed for clients that leave', async () => {
    const setting = await setUpBreaker();
    setting.behave = silent;
    for (let call = 1; call <= 10; call++) {
      const call_ = { target: setting.upstream.target, request: get('/') };
      const exchange = startExchange(setting.lane, call_, new RecordingSink());
      await setting.upstream.heads(call);
      exchange.abort();
    }
    expect(setting.lane.breakerState).toBe('closed');
  });

  test('is not blamed for requests that cannot be written, nor for bodies that cannot be read', async () => {
    const setting = await setUpBreaker();
    setting.behave = silent;
    const broken = async function* () {
      yield Buffer.from('some');
      throw new Error('the client left');
    };
    for (let call = 0; call < 5; call++) {
      await exchangeOnce(setting, get('/', { headers: ['host', 'a', 'x', 'a\r\nb'] }));
      await exchangeOnce(setting, get('/', { method: 'POST', body: broken() }));
    }
    expect(setting.lane.breakerState).toBe('closed');
  });

  test('is not blamed for a client that sends its body too slowly', async () => {
    const setting = await setUpBreaker({ timeouts: { totalMs: 30 } });
    setting.behave = silent;
    const slow = async function* () {
      yield Buffer.from('some');
      await new Promise(() => {});
    };
    for (let call = 0; call < 4; call++) {
      const { failure } = await exchangeOnce(setting, get('/', { method: 'POST', body: slow() }));
      expect(failure).toMatchObject({ code: 'upstream_timeout', budget: 'totalMs' });
    }
    expect(setting.lane.breakerState).toBe('closed');
  });

  test('is not blamed for a later attempt that had too little time', async () => {
    const setting = await setUpBreaker({ retry: { attempts: 2 }, timeouts: { totalMs: 40 }, breaker: { failures: 2 } });
    let requests = 0;
    setting.behave = (socket) => {
      requests += 1;
      if (requests === 1) status(503)(socket);
    };
    expect((await exchangeOnce(setting)).failure).toMatchObject({ budget: 'totalMs' });
    expect([requests, setting.lane.breakerState]).toEqual([2, 'closed']);
  });
});

describe('a breaker that has opened', () => {
  const open = async (settings: LaneSettings = {}) => {
    const setting = await setUpBreaker(settings);
    await callTimes(setting, 3);
    return setting;
  };

  test('lets one probe go among 50 calls at once, and all once that succeeded', async () => {
    const setting = await open();
    setting.clock.nowMs += 30_000;
    const held: Socket[] = [];
    setting.behave = (socket) => held.push(socket);
    const sinks = Array.from({ length: 50 }, () => new RecordingSink());
    for (const sink of sinks) startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink);
    await Promise.all(sinks.slice(1).map((sink) => sink.over.promise));
    for (const sink of sinks.slice(1))
      expect(sink.failure).toMatchObject({ code: 'circuit_open', retryAfterSeconds: 1 });
    await setting.upstream.heads(4);
    expect([held.length, setting.upstream.requests]).toEqual([1, 4]);
    setting.behave = OK;
    OK(held[0] as Socket);
    await (sinks[0] as RecordingSink).over.promise;
    const after = await Promise.all(Array.from({ length: 50 }, () => exchangeOnce(setting)));
    expect(after.every((sink) => sink.status === 200)).toBe(true);
  });

  test('opens again when its probe fails', async () => {
    const setting = await open();
    setting.clock.nowMs += 30_000;
    await exchangeOnce(setting);
    expect([setting.lane.breakerState, setting.upstream.requests]).toEqual(['open', 4]);
    setting.clock.nowMs += 29_999;
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'circuit_open', retryAfterSeconds: 1 });
    setting.clock.nowMs += 1;
    setting.behave = OK;
    expect((await exchangeOnce(setting)).status).toBe(200);
    expect(setting.lane.breakerState).toBe('closed');
  });

  test('gives the probe to the next call when the client of the first has left', async () => {
    const setting = await open();
    setting.clock.nowMs += 30_000;
    setting.behave = silent;
    const probe = startExchange(
      setting.lane,
      { target: setting.upstream.target, request: get('/') },
      new RecordingSink(),
    );
    await setting.upstream.heads(4);
    probe.abort();
    setting.behave = OK;
    expect((await exchangeOnce(setting)).status).toBe(200);
  });

  test('keeps a refused call from the sink when that is taken back at once', async () => {
    const setting = await open();
    const sink = new RecordingSink();
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink).abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect([sink.failure, setting.lane.inFlight]).toEqual([undefined, 0]);
  });
});

describe('retries and breaker together', () => {
  test('count every attempt, and a call that opened the breaker tells why it failed', async () => {
    const setting = await setUpBreaker({ retry: { attempts: 10 } });
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'upstream_reset', sentBytes: 'some' });
    expect([setting.upstream.requests, setting.lane.breakerState]).toEqual([3, 'open']);
  });

  test('pass the answer on that opened the breaker, instead of waiting for nothing', async () => {
    const setting = await setUpBreaker({ retry: { attempts: 10 } });
    setting.behave = status(503);
    expect((await exchangeOnce(setting)).status).toBe(503);
    expect(setting.upstream.requests).toBe(3);
  });

  test.each<[string, (socket: Socket) => unknown, string]>([
    ['failed', reset, 'upstream_reset'],
    ['was answered', status(503), 'circuit_open'],
  ])('tell of a breaker that others opened meanwhile, when the first attempt %s', async (_name, first, code) => {
    const setting = await setUpBreaker({ retry: { attempts: 2, baseMs: 800 }, random: () => 0.999 });
    setting.behave = first;
    const sink = new RecordingSink();
    const told = Promise.withResolvers<void>();
    const call: ExchangeCall = { target: setting.upstream.target, request: get('/'), onAttempt: () => told.resolve() };
    startExchange(setting.lane, call, sink);
    await told.promise;
    setting.behave = reset;
    const others = Array.from({ length: 2 }, () => exchangeOnce(setting, get('/', { method: 'POST' })));
    await Promise.all(others);
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code, sentBytes: 'some' });
    expect(setting.upstream.requests).toBe(3);
  });
});

describe('a lane that takes another one’s place', () => {
  const laneAfter = (setting: Setting, breaker: { failures: number; windowMs: number; openMs: number }) => {
    const { transport, timeouts, limits, base } = setting.lane;
    return createLane({ transport, timeouts, limits, baseUrl: base.href, breaker, former: setting.lane });
  };

  test('is as open as that was, and counts its calls', async () => {
    const setting = await setUpBreaker();
    await callTimes(setting, 3);
    const lane = laneAfter(setting, { failures: 3, windowMs: 10_000, openMs: 30_000 });
    expect(lane.breakerState).toBe('open');
    setting.clock.nowMs += 30_000;
    setting.behave = silent;
    const running = startExchange(
      setting.lane,
      { target: setting.upstream.target, request: get('/') },
      new RecordingSink(),
    );
    expect([lane.inFlight, lane.breakerState]).toEqual([1, 'half_open']);
    running.abort();
    expect(lane.inFlight).toBe(0);
  });

  test('begins with a closed breaker when its numbers are others', async () => {
    const setting = await setUpBreaker();
    await callTimes(setting, 3);
    expect(laneAfter(setting, { failures: 4, windowMs: 10_000, openMs: 30_000 }).breakerState).toBe('closed');
  });
});
