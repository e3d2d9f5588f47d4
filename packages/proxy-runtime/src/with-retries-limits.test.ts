import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import type { LimitSignal } from './limit-signals.ts';
import { exchangeOnce, get, type LaneSettings, RecordingSink } from './raw-upstream.test-support.ts';
import { type Behaviour, setUpScript, status } from './scripted-upstream.test-support.ts';

const NOW = Date.UTC(2026, 10, 21, 6, 0, 0);
const now = () => NOW;

/** GitHub's two ways, as a template has them. */
const GITHUB: readonly LimitSignal[] = [
  {
    statuses: [403, 429],
    when: { header: 'x-ratelimit-remaining', equals: '0' },
    wait: { header: 'x-ratelimit-reset', as: 'epoch-seconds' },
  },
  { statuses: [403, 429], when: { header: 'retry-after' }, wait: { header: 'retry-after', as: 'retry-after' } },
];

const primary = (inSeconds: number, code = 403) =>
  status(code, `x-ratelimit-remaining: 0\r\nx-ratelimit-reset: ${NOW / 1_000 + inSeconds}\r\n`);

const FITTING: [string, Behaviour][] = [
  ['a spent window', primary(1)],
  ['a spent window that is over', primary(-5)],
  ['429 with a spent window', primary(0, 429)],
  ['403 with a Retry-After', status(403, 'retry-after: 0\r\n')],
  ['429 with a Retry-After', status(429, 'retry-after: 0\r\n')],
];

const FINAL: [string, Behaviour][] = [
  ['403 that says nothing of limits', status(403)],
  ['403 with calls left', status(403, 'x-ratelimit-remaining: 1\r\nx-ratelimit-reset: 0\r\n')],
  ['a spent window beyond the deadline', primary(31)],
  [
    'a spent window that ends in another age',
    status(403, 'x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 999999999999999\r\n'),
  ],
  ['a spent window without an end', status(403, 'x-ratelimit-remaining: 0\r\n')],
  [
    'a spent window with two ends',
    status(403, 'x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1\r\nx-ratelimit-reset: 2\r\n'),
  ],
  ['a spent window with an end that is none', status(403, 'x-ratelimit-remaining: 0\r\nx-ratelimit-reset: -1\r\n')],
  ['403 with a Retry-After that says nothing', status(403, 'retry-after: soon\r\n')],
  ['a status that is in no signal', status(404, 'x-ratelimit-remaining: 0\r\nretry-after: 0\r\n')],
  ['429 without a word', status(429)],
];

describe('an answer that fits a limit signal', () => {
  const settings: LaneSettings = { limitSignals: GITHUB, now, retry: { maxMs: 5 } };

  test.each(FITTING)('is followed by another attempt of a safe method: %s', async (_name, behaviour) => {
    const setting = await setUpScript([behaviour], settings);
    expect((await exchangeOnce(setting)).status).toBe(200);
    expect(setting.upstream.requests).toBe(2);
  });

  test.each(FITTING)('is passed on to any other method: %s', async (_name, behaviour) => {
    const setting = await setUpScript([behaviour], settings);
    await exchangeOnce(setting, get('/', { method: 'POST', body: Buffer.from('x') }));
    expect(setting.upstream.requests).toBe(1);
  });

  test.each(FITTING)('is followed by another attempt where the upstream honours keys: %s', async (_name, behaviour) => {
    const { upstream, lane } = await setUpScript([behaviour], settings);
    const sink = new RecordingSink();
    startExchange(lane, { target: upstream.target, request: get('/', { method: 'POST' }), honoursKeys: true }, sink);
    await sink.over.promise;
    expect([sink.status, upstream.requests]).toEqual([200, 2]);
  });

  test('is waited out', async () => {
    const at: number[] = [];
    const timed =
      (behaviour: Behaviour): Behaviour =>
      (socket) => {
        at.push(performance.now());
        return behaviour(socket);
      };
    await exchangeOnce(await setUpScript([timed(primary(1)), timed(status(200))], settings));
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(999);
  });

  test.each(FINAL)('is what it says and no more: %s is passed on at once', async (_name, behaviour) => {
    const setting = await setUpScript([behaviour], settings);
    const startedAt = performance.now();
    const sink = await exchangeOnce(setting);
    expect(sink.status).toBeGreaterThanOrEqual(403);
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(setting.upstream.requests).toBe(1);
  });

  test('is passed on unchanged after the last attempt', async () => {
    const setting = await setUpScript(Array<Behaviour>(3).fill(primary(0)), settings);
    const sink = await exchangeOnce(setting);
    expect([sink.status, setting.upstream.requests]).toEqual([403, 3]);
    expect(sink.headers).toContain('x-ratelimit-remaining');
  });

  test('is like any other without signals', async () => {
    const setting = await setUpScript([primary(0)], { ...settings, limitSignals: [] });
    expect((await exchangeOnce(setting)).status).toBe(403);
    expect(setting.upstream.requests).toBe(1);
  });
});

describe('a limit', () => {
  const settings: LaneSettings = { limitSignals: GITHUB, now, retry: { maxMs: 5 } };

  test.each<[string, Behaviour]>([
    ['429 with a Retry-After', status(429, 'retry-after: 40\r\n')],
    ['a limit signal', primary(40)],
  ])('that one call met is no other call’s: %s', async (_name, far) => {
    const setting = await setUpScript([far, status(503), primary(0)], settings);
    expect((await exchangeOnce(setting)).status).toBeGreaterThanOrEqual(403);
    expect((await exchangeOnce(setting)).status).toBe(200);
    expect(setting.upstream.requests).toBe(4);
  });

  test('does not spend more than the retry budget, however short its wait', async () => {
    const setting = await setUpScript(Array<Behaviour>(200).fill(primary(0)), { ...settings, retry: { baseMs: 0 } });
    for (let call = 0; call < 30; call += 1) await exchangeOnce(setting);
    expect(setting.upstream.requests).toBeLessThanOrEqual(50);
  });
});
