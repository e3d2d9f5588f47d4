import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AdminRecord } from '../ports/admins.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

type NewAdmin = Omit<AdminRecord, 'id' | 'createdAt' | 'revokedAt'>;

const OWNER: NewAdmin = { name: 'alice', role: 'owner', groups: ['ops'], tokenDigest: 'digest-a', tokenKeyId: 'k1' };

export function describeAdminsPort(makeHarness: MakeDbHarness): void {
  describe('administrators', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
    });
    afterEach(() => harness.close());

    test('a created administrator is found by name and by the digest of the token', async () => {
      const { admins } = harness.repositories;
      const created = await admins.create({ ...OWNER, expiresAt: 5_000 });
      expect(created).toMatchObject({ ...OWNER, expiresAt: 5_000, createdAt: harness.clock.nowMs });
      expect(created.id).not.toBe('');
      expect(await admins.getByName('alice')).toEqual(created);
      expect(await admins.findByTokenDigest('digest-a')).toEqual(created);
      expect(await admins.findByTokenDigest('digest-b')).toBeUndefined();
    });

    test('names and token digests are taken once', async () => {
      const { admins } = harness.repositories;
      await admins.create(OWNER);
      await expect(admins.create({ ...OWNER, tokenDigest: 'b' })).rejects.toMatchObject({ code: 'conflict' });
      await expect(admins.create({ ...OWNER, name: 'bob' })).rejects.toMatchObject({ code: 'conflict' });
    });

    test('groups are replaced, each counts once, and an unknown administrator has none', async () => {
      const { admins } = harness.repositories;
      await admins.create(OWNER);
      expect(await admins.setGroups('alice', ['finance', 'ops', 'finance'])).toMatchObject({
        groups: ['finance', 'ops'],
      });
      expect(await admins.getByName('alice')).toMatchObject({ groups: ['finance', 'ops'], tokenDigest: 'digest-a' });
      expect(await admins.setGroups('alice', [])).toMatchObject({ groups: [] });
      await expect(admins.setGroups('alice', [''])).rejects.toMatchObject({ code: 'invalid' });
      await expect(admins.setGroups('nobody', ['ops'])).rejects.toMatchObject({ code: 'not_found' });
    });

    test('a revocation counts once, and a revoked administrator is still found', async () => {
      const { admins } = harness.repositories;
      await admins.create(OWNER);
      expect(await admins.revoke('alice', 7_000)).toBe(true);
      expect(await admins.revoke('alice', 8_000)).toBe(false);
      expect(await admins.revoke('nobody', 8_000)).toBe(false);
      expect(await admins.findByTokenDigest('digest-a')).toMatchObject({ revokedAt: 7_000 });
    });

    test('the list of a tenant holds its own, and the list of all holds all', async () => {
      const { admins } = harness.repositories;
      await admins.create(OWNER);
      await admins.create({ ...OWNER, name: 'bob', tokenDigest: 'b', tenant: 'acme', role: 'auditor' });
      await admins.create({ ...OWNER, name: 'carol', tokenDigest: 'c', tenant: 'acme', role: 'admin' });
      const ofTenant = await readPages((cursor) => admins.list('acme', { limit: 1, ...(cursor && { cursor }) }));
      expect(ofTenant.items.map((admin) => admin.name)).toEqual(['bob', 'carol']);
      const all = await admins.list(undefined, { limit: 10 });
      expect(all.items.map((admin) => admin.name)).toEqual(['alice', 'bob', 'carol']);
    });

    test('an administrator of a tenant that is not there is refused', async () => {
      const refused = harness.repositories.admins.create({ ...OWNER, tenant: 'nope' });
      await expect(refused).rejects.toMatchObject({ code: 'not_found' });
    });

    test.each<[string, Partial<NewAdmin>]>([
      ['admins.name', { name: '' }],
      ['admins.tenant', { tenant: '' }],
      ['admins.role', { role: 'root' as NewAdmin['role'] }],
      ['admins.groups', { groups: [''] }],
      ['admins.token_digest', { tokenDigest: '' }],
      ['admins.token_key_id', { tokenKeyId: '' }],
      ['admins.expires_at', { expiresAt: 1.5 }],
    ])('a bad %s is refused by its name', async (column, change) => {
      const refused = harness.repositories.admins.create({ ...OWNER, ...change });
      await expect(refused).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining(column) });
    });
  });
}
