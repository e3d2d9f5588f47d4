import { type RedisServer, startRedisServer } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countedSource } from '../conformance/volatile/harness.ts';
import { recordingListener, untilLive } from '../conformance/volatile/invalidation-bus.ts';
import { createMemoryRateLimits } from '../memory/rate-limits.ts';
import type { VolatileStores } from '../ports/volatile/volatile-stores.ts';
import { connectRedis } from './connect-redis.ts';
import { createRedisStores } from './create-redis-stores.ts';
import { createFallbackRateLimits } from './fallback-rate-limits.ts';
import type { RedisConnection, RedisState } from './redis-connection.ts';

const SCOPE = { tenant: 't', workload: 'w', integration: 'i', group: 'g', key: 'k' };
const LIMITS = [{ tenant: 't', rule: 'r', key: 'k', requests: 3, perSeconds: 3_600 }];

function untilState(redis: RedisConnection, wanted: RedisState): Promise<void> {
  return new Promise((resolve) => {
    const unwatch = redis.onState((state) => {
      if (state === wanted) finish();
    });
    const finish = () => {
      unwatch();
      resolve();
    };
    if (redis.state() === wanted) finish();
  });
}

let server: RedisServer;
let redis: RedisConnection;
let stores: VolatileStores;

beforeAll(async () => {
  server = await startRedisServer();
  redis = await connectRedis({ url: server.url });
  stores = createRedisStores(redis);
});
afterAll(async () => {
  await redis.close();
  await server.close();
});

/** Stops the server, by whatever way, for the time of `during`; afterwards it is there again. */
const FAULTS: readonly (readonly [string, (during: () => Promise<void>) => Promise<void>])[] = [
  [
    'killed',
    async (during) => {
      await server.stopHard();
      await untilState(redis, 'connecting');
      await during().finally(() => server.restart());
    },
  ],
  [
    'frozen',
    async (during) => {
      server.freeze();
      await during().finally(() => server.thaw());
    },
  ],
];

describe.each(FAULTS)('with Redis %s', (name, stop) => {
  test('what is read through is read, locks and proofs are refused, and all of it works again after', async () => {
    const source = countedSource({ id: 1 });
    await stores.sessions.getOrRead('t', 'a', source);
    await stop(async () => {
      const beganMs = performance.now();
      source.value = { id: 2 };
      expect(await stores.sessions.getOrRead('t', 'a', source)).toEqual({ id: 2 });
      expect(
        await stores.auditQueries.getOrSet({ tenant: 't', key: 'q', ttlSeconds: 60, parse: Number }, async () => 7),
      ).toBe(7);
      const refused = { code: 'unavailable' };
      await expect(stores.sessions.drop('t', 'a')).rejects.toMatchObject(refused);
      await expect(stores.executionLocks.acquire(SCOPE, 10)).rejects.toMatchObject(refused);
      await expect(stores.rotationLock.acquire('t', 'k', 1_000)).rejects.toMatchObject(refused);
      await expect(stores.enrolmentTokens.begin('t', 'h', 10)).rejects.toMatchObject(refused);
      await expect(
        stores.dpopReplay.firstUse({ tenant: 't', scope: 's', jti: `lost ${name}`, ttlSeconds: 60 }),
      ).rejects.toMatchObject(refused);
      await expect(stores.rateLimits.spend(LIMITS, 0)).rejects.toMatchObject(refused);
      await expect(stores.invalidations.publish({ topic: 'policy', tenant: 't' })).rejects.toMatchObject(refused);
      expect(performance.now() - beganMs).toBeLessThan(2_000);
    });
    await untilState(redis, 'ready');
    // A proof that was refused was presented: it is used, whether Redis heard of it or not.
    expect(await stores.dpopReplay.firstUse({ tenant: 't', scope: 's', jti: `lost ${name}`, ttlSeconds: 60 })).toBe(
      false,
    );
    expect(await stores.dpopReplay.firstUse({ tenant: 't', scope: 's', jti: `new ${name}`, ttlSeconds: 60 })).toBe(
      true,
    );
    expect(await stores.executionLocks.acquire({ ...SCOPE, key: `after ${name}` }, 10)).toBeDefined();
    expect(await stores.rotationLock.acquire('t', `after ${name}`, 1_000)).toBeDefined();
  });

  test('calls are judged by this node’s memory within the same call, and by Redis again after', async () => {
    const told: string[] = [];
    const restored = Promise.withResolvers<void>();
    const [own] = [createRedisStores(redis, { prefix: `fallback-${name}` })];
    let nowMs = 0;
    const limits = createFallbackRateLimits({
      redis: own.rateLimits,
      memory: createMemoryRateLimits(),
      onDegraded: (reason) => told.push(reason),
      onRestored: restored.resolve,
      restMs: 1_000,
      monotonicMs: () => nowMs,
    });
    const allowed = async () => (await limits.spend(LIMITS, Date.now()))[0]?.isAllowed;
    expect([await allowed(), await allowed()]).toEqual([true, true]);
    await stop(async () => {
      const beganMs = performance.now();
      const during = [];
      for (let call = 0; call < 50; call += 1) during.push(await allowed());
      // One waited its quarter of a second, the others for nobody. This node's memory had counted none.
      expect(performance.now() - beganMs).toBeLessThan(1_000);
      expect(during.filter(Boolean).length).toBe(3);
      expect(limits.isDegraded()).toBe(true);
      const verdicts = await limits.spend([{ ...LIMITS[0], key: 'other' } as (typeof LIMITS)[0]], Date.now());
      await limits.giveBack([{ ...LIMITS[0], key: 'other' } as (typeof LIMITS)[0]], verdicts);
      expect(limits.counts()).toEqual({ fellBack: 51, failures: 1 });
    });
    await untilState(redis, 'ready');
    expect(await allowed()).toBe(false);
    expect(limits.isDegraded()).toBe(true);
    nowMs = 1_001;
    await allowed();
    await restored.promise;
    expect([limits.isDegraded(), told.length]).toEqual([false, 1]);
  });

  test('subscribers are told that they may have missed something, at the loss and when they hear again', async () => {
    const { record, listener, until, heard, invalidations } = recordingListener();
    const unsubscribe = stores.invalidations.subscribe(['policy'], listener);
    await untilLive(stores.invalidations);
    const before = record.lost;
    await stop(async () => {
      await until(() => record.lost > before);
      expect(stores.invalidations.isLive()).toBe(false);
    });
    await until(() => record.lost > before + 1);
    await untilLive(stores.invalidations);
    await untilState(redis, 'ready');
    await stores.invalidations.publish({ topic: 'policy', tenant: 't' });
    await heard(1);
    expect(invalidations).toEqual([{ topic: 'policy', tenant: 't' }]);
    unsubscribe();
  });
});

test('a message that is none means that anything may have changed', async () => {
  const { record, listener, until, invalidations } = recordingListener();
  const unsubscribe = stores.invalidations.subscribe(['policy'], listener);
  await untilLive(stores.invalidations);
  for (const message of [
    '',
    '{',
    '{"topic":"policy"}',
    '{"topic":"weather","tenant":"t"}',
    '[]',
    `{"topic":"policy","tenant":"${'t'.repeat(600)}"}`,
  ]) {
    const before = record.lost;
    await redis.command('PUBLISH', 'postern:invalidation', message);
    await until(() => record.lost > before);
  }
  expect(invalidations).toEqual([]);
  unsubscribe();
});

test('a flush in the middle loses what was kept, and nothing else', async () => {
  const source = countedSource({ id: 1 });
  await stores.sessions.getOrRead('t', 'flushed', source);
  const owner = (await stores.rotationLock.acquire('t', 'flushed', 60_000)) ?? '';
  const proof = { tenant: 't', scope: 's', jti: 'flushed', ttlSeconds: 60 };
  await stores.dpopReplay.firstUse(proof);
  await server.flush();
  source.value = { id: 2 };
  expect(await stores.sessions.getOrRead('t', 'flushed', source)).toEqual({ id: 2 });
  expect(await stores.rotationLock.renew('t', 'flushed', { owner, ttlMs: 60_000 })).toBe(false);
  expect(await stores.rotationLock.acquire('t', 'flushed', 60_000)).toBeDefined();
  expect(await stores.dpopReplay.firstUse(proof)).toBe(false);
});

test('a fill that comes after its time keeps nothing, however late it comes', async () => {
  const gate = Promise.withResolvers<object>();
  const begun = Promise.withResolvers<void>();
  const slow = stores.sessions.getOrRead('t', 'late', {
    parse: (kept) => kept as object,
    read: () => {
      begun.resolve();
      return gate.promise;
    },
  });
  await begun.promise;
  const [lease] = (await redis.command('KEYS', 'postern:sessions:t:lease:late')) as string[];
  await redis.command('PEXPIRE', lease ?? '', 0);
  gate.resolve({ id: 'old' });
  expect(await slow).toEqual({ id: 'old' });
  expect(await stores.sessions.getOrRead('t', 'late', countedSource({ id: 'new' }))).toEqual({ id: 'new' });
});
