import { describe, expect, test } from 'vitest';
import { expectInvalid, held, type MakeVolatileStores } from './harness.ts';

export function describeAuditQueryCache(make: MakeVolatileStores): void {
  describe('audit query cache', () => {
    const parse = (kept: unknown) => kept as number;
    const query = (key: string, tenant = 't', ttlSeconds = 60) => ({ tenant, key, ttlSeconds, parse });

    test('callers at once, on all nodes, share one computation', async () => {
      const { stores, otherNode } = await make();
      let computed = 0;
      const gate = held<void>();
      const compute = async () => {
        computed += 1;
        await gate.promise;
        return 42;
      };
      const first = stores.auditQueries.getOrSet(query('a'), compute);
      const rest = Array.from({ length: 10 }, (_, at) =>
        (at % 2 === 0 ? stores : otherNode).auditQueries.getOrSet(query('a'), compute),
      );
      gate.settle();
      expect(await Promise.all([first, ...rest])).toEqual(Array.from({ length: 11 }, () => 42));
      expect(computed).toBe(1);
    });

    test('an answer lives between eight tenths of its time and all of it', async () => {
      const { stores, pass } = await make();
      for (let key = 0; key < 10; key += 1) await stores.auditQueries.getOrSet(query(`${key}`), async () => 1);
      await pass(47_000);
      for (let key = 0; key < 10; key += 1)
        expect(await stores.auditQueries.getOrSet(query(`${key}`), async () => 2)).toBe(1);
      await pass(13_001);
      for (let key = 0; key < 10; key += 1)
        expect(await stores.auditQueries.getOrSet(query(`${key}`), async () => 2)).toBe(2);
    });

    test('a computation that fails is its caller’s, and the next one computes', async () => {
      const { stores, otherNode } = await make();
      await expect(
        stores.auditQueries.getOrSet(query('a'), () => Promise.reject(new Error('no rows'))),
      ).rejects.toThrow('no rows');
      expect(await otherNode.auditQueries.getOrSet(query('a'), async () => 1)).toBe(1);
    });

    test('a tenant’s answers are invalidated together, also those that are being computed', async () => {
      const { stores, otherNode } = await make();
      const [gate, begun] = [held<number>(), held<void>()];
      await stores.auditQueries.getOrSet(query('a'), async () => 1);
      await stores.auditQueries.getOrSet(query('a', 'u'), async () => 1);
      const slow = stores.auditQueries.getOrSet(query('b'), () => {
        begun.settle();
        return gate.promise;
      });
      await begun.promise;
      await otherNode.auditQueries.invalidateByTenant('t');
      expect(await stores.auditQueries.getOrSet(query('b'), async () => 2)).toBe(2);
      gate.settle(1);
      expect(await slow).toBe(1);
      expect(await stores.auditQueries.getOrSet(query('a'), async () => 2)).toBe(2);
      expect(await otherNode.auditQueries.getOrSet(query('b'), async () => 2)).toBe(2);
      expect(await stores.auditQueries.getOrSet(query('a', 'u'), async () => 2)).toBe(1);
    });

    test('what begins alike is deleted together, whatever stands in it', async () => {
      const { stores, otherNode } = await make();
      const keys = ['list:a', 'list:b', 'list*', 'list', 'lisp', 'LIST:a', 'other list:a'];
      const ask = (key: string, value: number) => otherNode.auditQueries.getOrSet(query(key), async () => value);
      for (const key of keys) await ask(key, 1);
      await stores.auditQueries.getOrSet(query('list:a', 'u'), async () => 1);
      expect(await stores.auditQueries.deleteByPrefix('t', 'list:')).toBe(2);
      expect(await stores.auditQueries.deleteByPrefix('t', 'list*')).toBe(1);
      expect(await Promise.all(keys.map((key) => ask(key, 2)))).toEqual([2, 2, 2, 1, 1, 1, 1]);
      expect(await stores.auditQueries.getOrSet(query('list:a', 'u'), async () => 2)).toBe(1);
    });

    test('an answer that is too long is given and not kept', async () => {
      const { stores } = await make();
      const text = { tenant: 't', key: 'long', ttlSeconds: 60, parse: (kept: unknown) => String(kept) };
      expect((await stores.auditQueries.getOrSet(text, async () => 'x'.repeat(1_100_000))).length).toBe(1_100_000);
      expect(await stores.auditQueries.getOrSet(text, async () => 'y')).toBe('y');
    });

    test('ranges and empty identifiers are refused by name', async () => {
      const { auditQueries } = (await make()).stores;
      const ask = (ttlSeconds: number) => auditQueries.getOrSet(query(`${ttlSeconds}`, 't', ttlSeconds), async () => 1);
      for (const seconds of [0, 3_601, 1.5])
        await expectInvalid(() => ask(seconds), 'ttlSeconds must be an integer from 1 to 3600');
      for (const seconds of [1, 3_600]) expect(await ask(seconds)).toBe(1);
      await expectInvalid(() => auditQueries.getOrSet(query(''), async () => 1), 'key must be a text');
      await expectInvalid(() => auditQueries.deleteByPrefix('t', ''), 'prefix must be a text');
      await expectInvalid(() => auditQueries.invalidateByTenant(''), 'tenant must be a text');
    });
  });
}
