import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

export function describeTenantsPort(makeHarness: MakeDbHarness): void {
  describe('tenants', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    test('a created tenant is found by its name', async () => {
      const { tenants } = harness.repositories;
      harness.clock.nowMs = 1_000;
      expect(await tenants.create('acme')).toEqual({ name: 'acme', createdAt: 1_000 });
      expect(await tenants.getByName('acme')).toEqual({ name: 'acme', createdAt: 1_000 });
      expect(await tenants.getByName('other')).toBeUndefined();
      // Its name is its id.
      expect(await tenants.getById('acme')).toEqual({ name: 'acme', createdAt: 1_000 });
      expect(await tenants.getById('other')).toBeUndefined();
      expect(await tenants.getById('*')).toBeUndefined();
    });

    test('a name is taken once', async () => {
      await harness.repositories.tenants.create('acme');
      await expect(harness.repositories.tenants.create('acme')).rejects.toMatchObject({ code: 'conflict' });
    });

    test('the empty name and the name of the whole instance are refused', async () => {
      const { tenants } = harness.repositories;
      await expect(tenants.create('')).rejects.toMatchObject({ code: 'invalid' });
      await expect(tenants.create('*')).rejects.toMatchObject({ code: 'invalid' });
      expect(await tenants.getByName('*')).toBeUndefined();
    });

    test('the list goes by name, in pages, and each tenant is in it once', async () => {
      const { tenants } = harness.repositories;
      for (const name of ['c', 'a', 'e', 'b', 'd']) await tenants.create(name);
      const { items, sizes } = await readPages((cursor) => tenants.list({ limit: 2, ...(cursor && { cursor }) }));
      expect(items.map((tenant) => tenant.name)).toEqual(['a', 'b', 'c', 'd', 'e']);
      expect(sizes).toEqual([2, 2, 1]);
    });

    test('a page that is exactly full and the last has no cursor', async () => {
      const { tenants } = harness.repositories;
      for (const name of ['a', 'b']) await tenants.create(name);
      expect(await tenants.list({ limit: 2 })).not.toHaveProperty('nextCursor');
      expect(await tenants.list({ limit: 1 })).toHaveProperty('nextCursor');
    });

    test.each(['', 'x', '!!', 'W10', Buffer.from('["agents","a"]').toString('base64url')])(
      'the cursor %j of no list of tenants is refused',
      async (cursor) => {
        await expect(harness.repositories.tenants.list({ limit: 2, cursor })).rejects.toMatchObject({
          code: 'invalid',
        });
      },
    );

    test.each([0, -1, 1.5, 1_001, Number.NaN])('the limit %s is refused', async (limit) => {
      await expect(harness.repositories.tenants.list({ limit })).rejects.toMatchObject({ code: 'invalid' });
    });
  });
}
