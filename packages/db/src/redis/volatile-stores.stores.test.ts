import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { describeVolatileStores } from '../conformance/volatile/volatile-stores.ts';
import { keysUnder, openRedisHarness } from './redis-harness.fixture.ts';

let harness: Awaited<ReturnType<typeof openRedisHarness>>;

describe('redis', () => {
  beforeAll(async () => {
    harness = await openRedisHarness(inject('redisUrl'));
  });
  afterAll(() => harness.close());

  describeVolatileStores(() => harness.make());

  test('after all of this every key there is has its end', async () => {
    const keys = (await Promise.all(harness.prefixes.map((prefix) => keysUnder(harness.one, prefix)))).flat();
    expect(keys.length).toBeGreaterThan(100);
    for (const key of keys) {
      // -1 is for ever; -2, it has ended meanwhile.
      expect([key, Number(await harness.one.command('PTTL', key)) !== -1]).toEqual([key, true]);
    }
  });
});
