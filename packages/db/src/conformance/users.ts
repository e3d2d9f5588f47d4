import { describe, expect, test } from 'vitest';
import type { AdminRole } from '../ports/admins.ts';
import { type MakeDbHarness, readPages } from './harness.ts';
import { range, shareHarness } from './shared-harness.ts';

export function describeUsersPort(makeHarness: MakeDbHarness): void {
  describe('users', () => {
    const shared = shareHarness(makeHarness);
    const users = () => shared.repositories.users;
    const ANN = { email: 'Ann@Example.org', name: 'Ann', roles: ['approver'] as AdminRole[] };

    test('a user is found by id in its own tenant alone, and an address stands in lower case', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      const ann = await users().create(tenant, ANN);
      expect(ann).toEqual({
        tenant,
        id: expect.any(String),
        email: 'ann@example.org',
        name: 'Ann',
        roles: ['approver'],
        version: 1,
        createdAt: shared.clock.nowMs,
        updatedAt: shared.clock.nowMs,
      });
      expect(await users().getById(tenant, ann.id)).toEqual(ann);
      expect(await users().getById(other, ann.id)).toBeUndefined();
    });

    test('an address is taken once in a tenant, in any case, also when two ask at once', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      const second = await shared.secondProcess();
      const made = await Promise.allSettled([
        users().create(tenant, ANN),
        second.users.create(tenant, { ...ANN, email: 'ANN@example.org' }),
      ]);
      expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      await expect(users().create(tenant, ANN)).rejects.toMatchObject({ code: 'conflict' });
      expect((await users().create(other, ANN)).tenant).toBe(other);
    });

    test('roles are replaced, and not over a change that was not seen', async () => {
      const tenant = await shared.newTenant();
      const { id } = await users().create(tenant, ANN);
      shared.clock.nowMs += 5;
      const changed = await users().updateRoles(tenant, id, { roles: ['admin', 'auditor'], ifVersion: 1 });
      expect(changed).toMatchObject({ roles: ['admin', 'auditor'], version: 2, updatedAt: shared.clock.nowMs });
      const stale = users().updateRoles(tenant, id, { roles: [], ifVersion: 1 });
      await expect(stale).rejects.toMatchObject({ code: 'stale' });
      expect(await users().getById(tenant, id)).toEqual(changed);
      const foreign = users().updateRoles(await shared.newTenant(), id, { roles: [] });
      await expect(foreign).rejects.toMatchObject({ code: 'not_found' });
    });

    test('of two that change one version at once, one is told that it is stale', async () => {
      const tenant = await shared.newTenant();
      const { id } = await users().create(tenant, ANN);
      const second = await shared.secondProcess();
      const changes = await Promise.allSettled([
        users().updateRoles(tenant, id, { roles: ['admin'], ifVersion: 1 }),
        second.users.updateRoles(tenant, id, { roles: ['auditor'], ifVersion: 1 }),
      ]);
      expect(changes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await users().getById(tenant, id))?.version).toBe(2);
    });

    test('lists go by time and then by id, newest first, in pages', async () => {
      const tenant = await shared.newTenant();
      const made: string[] = [];
      for (const number of range(5)) {
        // Two of one millisecond each.
        shared.clock.nowMs += number % 2;
        made.push((await users().create(tenant, { ...ANN, email: `u${number}@example.org` })).id);
      }
      const { items, sizes } = await readPages((cursor) =>
        users().listByTenant(tenant, { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(sizes).toEqual([2, 2, 1]);
      const keys = items.map(({ createdAt, id }) => [createdAt, id] as const);
      const inOrder = keys.toSorted(([time, id], [otherTime, otherId]) =>
        time === otherTime ? (id < otherId ? 1 : -1) : otherTime - time,
      );
      expect(keys).toEqual(inOrder);
      expect(new Set(items.map(({ id }) => id))).toEqual(new Set(made));
    });

    test.each([
      [{ email: '' }, 'invalid'],
      [{ email: 'no address' }, 'invalid'],
      [{ email: 'a@b' }, 'invalid'],
      [{ email: 'a@@example.org' }, 'invalid'],
      [{ email: 'a\u0000b@example.org' }, 'invalid'],
      [{ name: '' }, 'invalid'],
      [{ name: 'x\u0000' }, 'invalid'],
      [{ roles: ['boss' as AdminRole] }, 'invalid'],
      [{ roles: ['admin', 'admin'] as AdminRole[] }, 'invalid'],
      [{ identityId: 'nobody' }, 'not_found'],
    ])('a user with %j is refused as %s', async (change, code) => {
      const tenant = await shared.newTenant();
      await expect(users().create(tenant, { ...ANN, ...change })).rejects.toMatchObject({ code });
      expect((await users().listByTenant(tenant, { limit: 9 })).items).toEqual([]);
    });

    test('no user belongs to nobody, to the instance, or to a tenant that is not there', async () => {
      await expect(users().create('', ANN)).rejects.toMatchObject({ code: 'invalid' });
      await expect(users().create('*', ANN)).rejects.toMatchObject({ code: 'invalid' });
      await expect(users().create('nowhere', ANN)).rejects.toMatchObject({ code: 'not_found' });
    });

    test('roles that a row should not hold are refused by table and column', async () => {
      const tenant = await shared.newTenant();
      const { id } = await users().create(tenant, ANN);
      await shared.harness.client
        .writes(tenant)
        .updateTable('users')
        .set({ roles: '["boss"]' })
        .where('tenant', '=', tenant)
        .execute();
      const refusal = { code: 'invalid', message: expect.stringContaining('users.roles') };
      await expect(users().getById(tenant, id)).rejects.toMatchObject(refusal);
    });
  });
}
