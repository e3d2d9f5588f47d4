import { describe, expect, test } from 'vitest';
import type { VolatileHarness } from '../conformance/volatile/harness.ts';
import { describeVolatileStores } from '../conformance/volatile/volatile-stores.ts';
import { createMemoryStores } from './create-memory-stores.ts';

const START_MS = 1_700_000_000_000;

async function makeHarness(): Promise<VolatileHarness> {
  let passedMs = 0;
  const now = () => START_MS + passedMs;
  const stores = createMemoryStores({ now, monotonicMs: () => passedMs, onListenerError: () => undefined });
  const pass = async (ms: number) => {
    passedMs += ms;
  };
  return { stores, otherNode: stores, now, pass };
}

describe('memory', () => {
  describeVolatileStores(makeHarness);

  test('a tenant that fills its room takes none of another’s', async () => {
    const { executionLocks, dpopReplay, sessions } = createMemoryStores({ keysPerTenantMax: 3 });
    const scope = { tenant: 't', workload: 'w', integration: 'i', group: 'g' };
    for (const key of ['a', 'b', 'c']) expect(await executionLocks.acquire({ ...scope, key }, 60)).toBeDefined();
    await expect(executionLocks.acquire({ ...scope, key: 'd' }, 60)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await executionLocks.acquire({ ...scope, tenant: 'u', key: 'd' }, 60)).toBeDefined();
    const proof = { tenant: 't', scope: 's', ttlSeconds: 60 };
    for (const jti of ['a', 'b', 'c']) expect(await dpopReplay.firstUse({ ...proof, jti })).toBe(true);
    await expect(dpopReplay.firstUse({ ...proof, jti: 'd' })).rejects.toMatchObject({ code: 'unavailable' });
    const source = { read: async () => 1, parse: (kept: unknown) => kept as number };
    for (let id = 0; id < 50; id += 1) expect(await sessions.getOrRead('t', `${id}`, source)).toBe(1);
  });

  test('room is made of what has ended first', async () => {
    let nowMs = 0;
    const { executionLocks } = createMemoryStores({ keysPerTenantMax: 2, monotonicMs: () => nowMs });
    const acquire = (key: string, seconds: number) =>
      executionLocks.acquire({ tenant: 't', workload: 'w', integration: 'i', group: 'g', key }, seconds);
    expect([await acquire('a', 60), await acquire('b', 1)].every((owner) => owner !== undefined)).toBe(true);
    nowMs = 1_001;
    expect(await acquire('c', 60)).toBeDefined();
    await expect(acquire('d', 60)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
