import { describe, expect, test, vi } from 'vitest';
import { Secret } from './secret.ts';
import { type CachedSecretReference, createSecretCache, type SecretCacheOptions } from './secret-cache.ts';

const one: CachedSecretReference = { tenant: 'default', name: 'one' };
const two: CachedSecretReference = { tenant: 'default', name: 'two' };
const foreign: CachedSecretReference = { tenant: 'other', name: 'one' };

/** A cache on hand-driven time, over a source that counts its openings and keeps the arrays it gave away. */
function setUp(options: Partial<SecretCacheOptions> = {}) {
  let nowMs = 1000;
  let timers: { task: () => void; atMs: number }[] = [];
  const given: Uint8Array[] = [];
  const opened: string[] = [];
  const cache = createSecretCache({
    clock: () => nowMs,
    setTimer: (task, delayMs) => {
      const timer = { task, atMs: nowMs + delayMs };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    open: ({ tenant, name }) => {
      opened.push(`${tenant}/${name}`);
      const bytes = new TextEncoder().encode(`value ${opened.length}`);
      given.push(bytes);
      return bytes;
    },
    ...options,
  });
  return {
    cache,
    given,
    opened,
    timersWaiting: () => timers.length,
    /** Time goes on without any timer: a blocked event loop. */
    leap: (ms: number) => {
      nowMs += ms;
    },
    /** Time goes on and the timers that are due run. */
    advance: (ms: number) => {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { task } of due) task();
    },
  };
}

describe('get', () => {
  test('opens once, then answers without a promise', async () => {
    const { cache, opened } = setUp();
    const first = cache.get(one);
    expect(first).toBeInstanceOf(Promise);
    const secret = await first;
    expect(secret.reveal()).toBe('value 1');
    expect(cache.get({ ...one })).toBe(secret);
    expect(opened).toEqual(['default/one']);
  });

  test('those who ask at once share one opening', async () => {
    const { cache, opened } = setUp();
    const secrets = await Promise.all([cache.get(one), cache.get(one), cache.get(one)]);
    expect(new Set(secrets).size).toBe(1);
    expect(opened).toHaveLength(1);
  });

  test('names and tenants are kept apart', async () => {
    const { cache, opened } = setUp();
    const [a, b, c] = await Promise.all([cache.get(one), cache.get(two), cache.get(foreign)]);
    expect(new Set([a.reveal(), b.reveal(), c.reveal()]).size).toBe(3);
    expect(opened).toEqual(['default/one', 'default/two', 'other/one']);
  });

  test('a failure reaches all who wait and is not kept', async () => {
    let failures = 1;
    const { cache } = setUp({
      open: () => {
        if (failures-- > 0) throw new Error('store down');
        return new Uint8Array([97]);
      },
    });
    const waiting = [cache.get(one), cache.get(one)];
    await expect(waiting[0]).rejects.toThrow('store down');
    await expect(waiting[1]).rejects.toThrow('store down');
    expect((await cache.get(one)).reveal()).toBe('a');
  });
});

describe('time', () => {
  test('a secret is held up to its last millisecond and not at its end', async () => {
    const { cache, leap, opened, given } = setUp();
    const secret = await cache.get(one);
    leap(59_999);
    expect(cache.get(one)).toBe(secret);
    leap(1);
    const next = cache.get(one);
    expect(next).not.toBeInstanceOf(Secret);
    expect((await next).reveal()).toBe('value 2');
    expect(opened).toHaveLength(2);
    expect(given[0]).toStrictEqual(new Uint8Array(7));
  });

  test('a secret that nobody asks for again is overwritten by the timer', async () => {
    const { cache, advance, given, timersWaiting } = setUp();
    const secret = await cache.get(one);
    advance(20_000);
    await cache.get(two);
    expect(timersWaiting()).toBe(1);
    advance(40_000);
    expect(given[0]).toStrictEqual(new Uint8Array(7));
    expect(() => secret.reveal()).toThrow(expect.objectContaining({ code: 'secret_destroyed' }));
    expect(given[1]).not.toStrictEqual(new Uint8Array(7));
    advance(20_000);
    expect(given[1]).toStrictEqual(new Uint8Array(7));
    expect(timersWaiting()).toBe(0);
  });

  test('a hit does not lengthen the time', async () => {
    const { cache, advance, given } = setUp();
    await cache.get(one);
    advance(59_000);
    await cache.get(one);
    advance(1000);
    expect(given[0]).toStrictEqual(new Uint8Array(7));
  });

  test('an early timer is set again for the rest', async () => {
    const delays: number[] = [];
    let task = () => {};
    let nowMs = 0;
    const { cache, given } = setUp({
      clock: () => nowMs,
      setTimer: (next, delayMs) => {
        delays.push(delayMs);
        task = next;
        return () => {};
      },
    });
    await cache.get(one);
    nowMs = 59_999;
    task();
    expect(delays).toEqual([60_000, 1]);
    expect(given[0]).not.toStrictEqual(new Uint8Array(7));
  });

  test.each([0, -1, 60_001, Number.NaN, Number.POSITIVE_INFINITY])('a life of %d ms is refused', (ttlMs) => {
    expect(() => setUp({ ttlMs })).toThrow(RangeError);
    expect(() => setUp({ ttlMs: 60_000 })).not.toThrow();
  });
});

describe('drop', () => {
  test('forgets one name, or all of a tenant, and overwrites what it held', async () => {
    const { cache, given, opened } = setUp();
    await Promise.all([cache.get(one), cache.get(two), cache.get(foreign)]);
    cache.drop('default', 'one');
    expect(given.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true, false, false]);
    cache.drop('default');
    expect(given.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true, true, false]);
    expect(cache.get(foreign)).toBeInstanceOf(Secret);
    expect((await cache.get(one)).reveal()).toBe('value 4');
    expect(opened).toHaveLength(4);
  });

  test.each<[string, (cache: ReturnType<typeof setUp>['cache']) => void]>([
    ['of the name', (cache) => cache.drop('default', 'one')],
    ['of the tenant', (cache) => cache.drop('default')],
    ['of everything', (cache) => cache.clear()],
  ])('a drop %s while opening makes those who wait get the new value, never the old', async (_title, drop) => {
    const answers: ((bytes: Uint8Array) => void)[] = [];
    const { cache } = setUp({ open: () => new Promise((resolve) => answers.push(resolve)) });
    const early = cache.get(one);
    await Promise.resolve();
    drop(cache);
    const late = cache.get(one);
    await Promise.resolve();
    expect(answers).toHaveLength(2);
    const stale = new TextEncoder().encode('stale');
    answers[0]?.(stale);
    await Promise.resolve();
    answers[1]?.(new TextEncoder().encode('fresh'));
    expect((await early).reveal()).toBe('fresh');
    expect(await late).toBe(await early);
    expect(stale).toStrictEqual(new Uint8Array(5));
  });

  test('a drop of another name leaves an opening alone', async () => {
    const { cache, opened } = setUp();
    const waiting = cache.get(one);
    cache.drop('default', 'two');
    cache.drop('other');
    await waiting;
    expect(opened).toHaveLength(1);
  });

  test('clear overwrites everything and leaves no timer', async () => {
    const { cache, given, timersWaiting } = setUp();
    await Promise.all([cache.get(one), cache.get(foreign)]);
    cache.clear();
    expect(given.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
    expect(timersWaiting()).toBe(0);
  });
});

describe('bounds', () => {
  test('the eldest makes place when there are too many', async () => {
    const { cache, given } = setUp({ secretsMax: 2 });
    await cache.get(one);
    await cache.get(two);
    expect(given[0]).not.toStrictEqual(new Uint8Array(7));
    await cache.get(foreign);
    expect(given[0]).toStrictEqual(new Uint8Array(7));
    expect(cache.get(two)).toBeInstanceOf(Secret);
    expect(cache.get(foreign)).toBeInstanceOf(Secret);
  });
});

test("on the process's own clock and timers a secret lasts its minute and is then overwritten", async () => {
  vi.useFakeTimers();
  try {
    const bytes = new TextEncoder().encode('value');
    const cache = createSecretCache({ open: () => bytes });
    const secret = await cache.get(one);
    vi.advanceTimersByTime(59_999);
    expect(cache.get(one)).toBe(secret);
    vi.advanceTimersByTime(1);
    expect(bytes).toStrictEqual(new Uint8Array(5));
    await cache.get(one);
    cache.clear();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test.each([0, -1, Number.NaN])('a bound of %d secrets is refused', (secretsMax) => {
  expect(() => setUp({ secretsMax })).toThrow(RangeError);
  expect(() => setUp({ secretsMax: 1 })).not.toThrow();
});
