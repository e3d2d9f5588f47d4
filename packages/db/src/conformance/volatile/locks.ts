import { describe, expect, test } from 'vitest';
import type { VolatileStores } from '../../ports/volatile/volatile-stores.ts';
import { AWKWARD_NAMES, expectInvalid, type MakeVolatileStores } from './harness.ts';

interface Lock {
  acquire(tenant: string, name: string, seconds: number): Promise<string | undefined>;
  release(tenant: string, name: string, owner: string): Promise<boolean>;
}

const LOCKS: readonly (readonly [string, (stores: VolatileStores) => Lock])[] = [
  [
    'rotation lock',
    ({ rotationLock }) => ({
      acquire: (tenant, name, seconds) => rotationLock.acquire(tenant, name, seconds * 1_000),
      release: (tenant, name, owner) => rotationLock.release(tenant, name, owner),
    }),
  ],
  [
    'execution locks',
    ({ executionLocks }) => {
      const scope = (tenant: string, key: string) => ({ tenant, workload: 'w', integration: 'i', group: 'g', key });
      return {
        acquire: (tenant, key, seconds) => executionLocks.acquire(scope(tenant, key), seconds),
        release: (tenant, key, owner) => executionLocks.release(scope(tenant, key), owner),
      };
    },
  ],
];

export function describeLocks(make: MakeVolatileStores): void {
  describe.each(LOCKS)('%s', (_name, lockOf) => {
    const makeLocks = async () => {
      const harness = await make();
      return { ...harness, lock: lockOf(harness.stores), other: lockOf(harness.otherNode) };
    };

    test('one of many at once has it, until it frees it', async () => {
      const { lock, other } = await makeLocks();
      const tries = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? lock : other).acquire('t', 'a', 10));
      const owners = (await Promise.all(tries)).filter((owner) => owner !== undefined);
      expect(owners.length).toBe(1);
      expect(await other.acquire('t', 'b', 10)).toBeDefined();
      expect(await other.acquire('u', 'a', 10)).toBeDefined();
      expect(await other.release('t', 'a', owners[0] ?? '')).toBe(true);
      expect(await lock.release('t', 'a', owners[0] ?? '')).toBe(false);
      expect(await lock.acquire('t', 'a', 10)).toBeDefined();
    });

    test('it ends with its time, and its former owner frees nothing of the next', async () => {
      const { lock, other, pass } = await makeLocks();
      const former = await lock.acquire('t', 'a', 2);
      await pass(1_700);
      expect(await other.acquire('t', 'a', 2)).toBeUndefined();
      await pass(301);
      expect(await other.acquire('t', 'a', 10)).toBeDefined();
      expect(await lock.release('t', 'a', former ?? '')).toBe(false);
      expect(await lock.acquire('t', 'a', 10)).toBeUndefined();
    });

    test('no tenant and no name passes for another', async () => {
      const { lock } = await makeLocks();
      for (const tenant of AWKWARD_NAMES) {
        for (const name of AWKWARD_NAMES) expect(await lock.acquire(tenant, name, 10)).toBeDefined();
      }
    });
  });

  test('a rotation lock is renewed by its owner, as long as it holds', async () => {
    const { stores, otherNode, pass } = await make();
    const owner = (await stores.rotationLock.acquire('t', 'k', 2_000)) ?? '';
    await pass(1_500);
    expect(await stores.rotationLock.renew('t', 'k', { owner, ttlMs: 2_000 })).toBe(true);
    expect(await stores.rotationLock.renew('t', 'k', { owner: 'another', ttlMs: 2_000 })).toBe(false);
    await pass(1_500);
    expect(await otherNode.rotationLock.acquire('t', 'k', 2_000)).toBeUndefined();
    await pass(501);
    expect(await stores.rotationLock.renew('t', 'k', { owner, ttlMs: 2_000 })).toBe(false);
    expect(await otherNode.rotationLock.acquire('t', 'k', 2_000)).toBeDefined();
  });

  test('ranges and empty identifiers are refused by name', async () => {
    const { rotationLock, executionLocks } = (await make()).stores;
    const scope = { tenant: 't', workload: 'w', integration: 'i', group: 'g', key: 'k' };
    for (const seconds of [0, 61, 1.5, Number.NaN, -1]) {
      await expectInvalid(
        () => executionLocks.acquire(scope, seconds),
        `ttlSeconds must be an integer from 1 to 60, not ${seconds}`,
      );
    }
    for (const seconds of [1, 60])
      expect(await executionLocks.acquire({ ...scope, key: `k${seconds}` }, seconds)).toBeDefined();
    for (const part of ['tenant', 'workload', 'integration', 'group', 'key'] as const) {
      await expectInvalid(() => executionLocks.acquire({ ...scope, [part]: '' }, 1), `${part} must be a text`);
    }
    for (const ttlMs of [99, 600_001])
      await expectInvalid(() => rotationLock.acquire('t', 'n', ttlMs), 'ttlMs must be an integer from 100 to 600000');
    for (const ttlMs of [100, 600_000]) expect(await rotationLock.acquire('t', `n${ttlMs}`, ttlMs)).toBeDefined();
    await expectInvalid(() => rotationLock.release('t', 'n', ''), 'owner must be a text');
    await expectInvalid(() => rotationLock.renew('t', 'n', { owner: 'o', ttlMs: 1 }), 'ttlMs');
  });
}
