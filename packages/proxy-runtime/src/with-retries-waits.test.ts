import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import { answers, exchangeOnce, get, type LaneSettings, RecordingSink } from './raw-upstream.test-support.ts';
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

describe('the wait', () => {
  const gapsOf = async (script: Behaviour[], settings: LaneSettings) => {
    const at: number[] = [];
    const timed = [...script, answers(OK)].map(
      (behaviour): Behaviour =>
        (socket) => {
          at.push(performance.now());
          return behaviour(socket);
        },
    );
    await exchangeOnce(await setUpScript(timed, settings));
    return at.slice(1).map((one, index) => one - (at[index] as number));
  };

  test('is a random share of a bound that doubles', async () => {
    const [first = 0, second = 0] = await gapsOf([busy, busy], { retry: { baseMs: 60 }, random: () => 0.5 });
    expect(first).toBeGreaterThanOrEqual(29);
    expect(second).toBeGreaterThanOrEqual(59);
    expect(first).toBeLessThan(second);
  });

  test('is bounded by maxMs', async () => {
    const gaps = await gapsOf([busy, busy], { retry: { baseMs: 20_000, maxMs: 10 }, random: () => 0.999 });
    expect(Math.max(...gaps)).toBeLessThan(5_000);
  });

  test.each([
    ['in seconds', 'retry-after: 1\r\n', 999],
    ['as a date', 'retry-after: Sat, 21 Nov 2026 06:00:05 GMT\r\n', 79],
    ['that has passed', 'retry-after: Sat, 21 Nov 2026 06:00:00 GMT\r\n', 0],
  ])('is at least what Retry-After asks: %s', async (_name, field, ms) => {
    const now = () => Date.UTC(2026, 10, 21, 6, 0, 4, 920);
    const [gap] = await gapsOf([status(503, field)], { retry: { maxMs: 5 }, now });
    expect(gap).toBeGreaterThanOrEqual(ms);
  });

  test('is at least the backoff where Retry-After asks for less', async () => {
    const [gap] = await gapsOf([status(429, 'retry-after: 0\r\n')], { retry: { baseMs: 60 }, random: () => 0.999 });
    expect(gap).toBeGreaterThanOrEqual(58);
  });

  test('that does not fit the deadline is not begun: the answer is passed on at once', async () => {
    const setting = await setUpScript([busy], {
      timeouts: { totalMs: 5_000 },
      retry: { baseMs: 6_000, maxMs: 6_000 },
      random: () => 0.9999,
    });
    const startedAt = performance.now();
    expect((await exchangeOnce(setting)).status).toBe(503);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(setting.upstream.requests).toBe(1);
  });
});

describe('the total deadline', () => {
  test('is that of all attempts together', async () => {
    const setting = await setUpScript([busy, silent], { timeouts: { totalMs: 120 } });
    const startedAt = performance.now();
    const { failure } = await exchangeOnce(setting);
    expect(failure).toMatchObject({
      code: 'upstream_timeout',
      budget: 'totalMs',
      sentBytes: 'some',
      headPassed: false,
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(setting.upstream.requests).toBe(2);
  });

  test('that passes unnoticed while the event loop is blocked lets no further attempt begin', async () => {
    const setting = await setUpScript([busy], {
      timeouts: { totalMs: 150 },
      retry: { baseMs: 50 },
      random: () => 0.999,
    });
    const sink = new RecordingSink();
    const onAttempt = () => void setImmediate(() => blockMs(200));
    startExchange(setting.lane, { target: setting.upstream.target, request: get('/'), onAttempt }, sink);
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code: 'upstream_timeout', budget: 'totalMs', sentBytes: 'some' });
    expect(setting.upstream.requests).toBe(1);
    expect(setting.lane.inFlight).toBe(0);
  });
});

function blockMs(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a call that waits for its next attempt', () => {
  const patient: LaneSettings = { retry: { baseMs: 10_000, maxMs: 10_000 }, random: () => 0.5 };

  test('sends nothing more when its client leaves, and says nothing more', async () => {
    const setting = await setUpScript([busy, busy], { retry: { baseMs: 100 }, random: () => 0.999 });
    const sink = new RecordingSink();
    const exchange = startExchange(setting.lane, { target: setting.upstream.target, request: get('/') }, sink);
    await setting.upstream.heads(1);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(setting.lane.inFlight).toBe(1);
    exchange.abort();
    exchange.abort();
    expect(setting.lane.inFlight).toBe(0);
    // Another call's wait outlasts the one that was left.
    expect((await exchangeOnce(setting)).status).toBe(200);
    expect([sink.status, sink.failure, setting.upstream.requests]).toEqual([undefined, undefined, 3]);
  });

  test('holds its place', async () => {
    const setting = await setUpScript([busy], { ...patient, limits: { concurrency: 1 } });
    const waiting = startExchange(
      setting.lane,
      { target: setting.upstream.target, request: get('/') },
      new RecordingSink(),
    );
    await setting.upstream.heads(1);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'upstream_saturated', sentBytes: 'none' });
    waiting.abort();
    expect((await exchangeOnce(setting)).status).toBe(200);
  });
});

describe('a refused answer', () => {
  const refusal = (bytes: number, sent = bytes) =>
    answers(`HTTP/1.1 503 Busy\r\ncontent-length: ${bytes}\r\n\r\n${'x'.repeat(sent)}`);

  test('that is short is read to its end, and its connection serves the next attempt', async () => {
    const setting = await setUpScript([refusal(60_000)], { retry: { baseMs: 40 }, random: () => 0.999 });
    const sink = await exchangeOnce(setting);
    expect([sink.body, setting.upstream.accepted]).toEqual(['ok', 1]);
  });

  test.each([
    ['is long', refusal(1_000_000)],
    ['does not end', refusal(1_000, 10)],
    ['is a stream without end', answers('HTTP/1.1 503 Busy\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n')],
  ])('that %s costs its connection, and none of it is passed on', async (_name, behaviour) => {
    const setting = await setUpScript([behaviour], { retry: { baseMs: 20 }, random: () => 0.999 });
    const sink = await exchangeOnce(setting);
    expect([sink.body, setting.upstream.accepted]).toEqual(['ok', 2]);
    const refused = setting.upstream.sockets[0] as Socket;
    if (!refused.destroyed) await once(refused, 'close');
  });

  test('with a forged one behind it leaves the next attempt its own', async () => {
    const forged = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    const refusals = answers(`HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno${forged}`);
    const setting = await setUpScript([refusals], { retry: { baseMs: 20 }, random: () => 0.999 });
    expect((await exchangeOnce(setting)).body).toBe('ok');
  });

  test('that breaks off while it is read costs nothing more', async () => {
    const behaviour: Behaviour = (socket) =>
      socket.write('HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\nab', () => socket.resetAndDestroy());
    const setting = await setUpScript([behaviour], { retry: { baseMs: 20 }, random: () => 0.999 });
    expect((await exchangeOnce(setting)).body).toBe('ok');
  });
});

describe('the failure of several attempts', () => {
  test('says nothing of what was sent only when that is so of all', async () => {
    const none = await setUpScript([], failingDialler(3, 'ECONNREFUSED'));
    expect((await exchangeOnce(none)).failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none' });
    const some = await setUpScript([reset]);
    const sink = new RecordingSink();
    const onRetry = () => void some.upstream.close();
    startExchange(some.lane, { target: some.upstream.target, request: get('/'), onRetry }, sink);
    await sink.over.promise;
    expect(sink.failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'some' });
  });

  test('is the last one’s', async () => {
    const setting = await setUpScript([reset, busy, silent], { timeouts: { firstByteMs: 40 } });
    expect((await exchangeOnce(setting)).failure).toMatchObject({ code: 'upstream_timeout', budget: 'firstByteMs' });
  });
});

describe('the retry budget of a lane', () => {
  test('bounds what a failing upstream gets under load to a fifth more than the calls', async () => {
    const setting = await setUpScript(Array<Behaviour>(2_000).fill(busy), { limits: { concurrency: 50 } });
    for (let round = 0; round < 10; round++) {
      const sinks = await Promise.all(Array.from({ length: 50 }, () => exchangeOnce(setting)));
      expect(sinks.every((sink) => sink.status === 503 && sink.body === 'busy')).toBe(true);
    }
    expect(setting.upstream.requests).toBeGreaterThan(550);
    expect(setting.upstream.requests).toBeLessThanOrEqual(600);
  });

  test('is another lane’s no business', async () => {
    const spent = await setUpScript(Array<Behaviour>(200).fill(busy));
    for (let call = 0; call < 20; call++) await exchangeOnce(spent);
    const fresh = await setUpScript([busy]);
    expect((await exchangeOnce(fresh)).status).toBe(200);
  });
});
