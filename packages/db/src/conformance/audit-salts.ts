import { describe, expect, test } from 'vitest';
import type { MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

export function describeAuditSaltsPort(makeHarness: MakeDbHarness): void {
  describe('audit salts', () => {
    const shared = shareHarness(makeHarness);
    const salts = () => shared.repositories.auditSalts;
    const within = shared.within;
    const saltOf = (tenant: string, version: number) => ({
      tenant,
      version,
      kekId: 'k1',
      envelope: `{"salt":${version}}`,
    });
    const create = (tenant: string, version: number) =>
      within((context) => salts().createAuditSalt(saltOf(tenant, version), context));

    test('the newest is active, and all stay comparable', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      expect(await salts().getActiveAuditSalt(tenant)).toBeUndefined();
      const first = await create(tenant, 1);
      expect(first).toEqual({ ...saltOf(tenant, 1), createdAt: shared.clock.nowMs, state: 'kept' });
      const second = await create(tenant, 2);
      expect(await salts().getActiveAuditSalt(tenant)).toEqual(second);
      expect(await salts().getAuditSalt(tenant, 1)).toEqual(first);
      expect(await salts().listAuditSalts(tenant)).toEqual([second, first]);
      expect(await salts().listAuditSalts(other)).toEqual([]);
      expect(await salts().getAuditSalt(other, 1)).toBeUndefined();
    });

    test('versions go up without gaps, also when two make one at once', async () => {
      const tenant = await shared.newTenant();
      for (const version of [0, 2, 1.5]) await expect(create(tenant, version)).rejects.toMatchObject({ code: 'stale' });
      const made = await Promise.allSettled([
        create(tenant, 1),
        shared.secondWithin((context, { auditSalts }) => auditSalts.createAuditSalt(saltOf(tenant, 1), context)),
      ]);
      expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await within((context) => salts().nextVersion(tenant, context))).toBe(2);
    });

    test('one that is erased is gone for good, and no older one takes its place', async () => {
      const tenant = await shared.newTenant();
      await create(tenant, 1);
      await create(tenant, 2);
      const erase = (version: number) => within((context) => salts().eraseAuditSalt(tenant, version, 77, context));
      expect(await erase(2)).toBe(true);
      expect(await erase(2)).toBe(false);
      expect(await erase(9)).toBe(false);
      expect(await salts().getActiveAuditSalt(tenant)).toEqual({
        tenant,
        version: 2,
        createdAt: shared.clock.nowMs,
        state: 'erased',
        erasedAt: 77,
      });
      expect(await within((context) => salts().nextVersion(tenant, context))).toBe(3);
      const anew = { ...saltOf(tenant, 2), kekId: 'k2' };
      expect(await within((context) => salts().replaceEnvelope(anew, 'k1', context))).toBe(false);
    });

    test('an envelope is sealed anew under another key, once', async () => {
      const tenant = await shared.newTenant();
      await create(tenant, 1);
      const anew = { tenant, version: 1, kekId: 'k2', envelope: '{"anew":1}' };
      const replace = () => within((context) => salts().replaceEnvelope(anew, 'k1', context));
      expect([await replace(), await replace()]).toEqual([true, false]);
      expect(await salts().getAuditSalt(tenant, 1)).toMatchObject(anew);
    });

    test('all writes need a transaction, and fall with it', async () => {
      const tenant = await shared.newTenant();
      const salt = saltOf(tenant, 1);
      await expect(salts().createAuditSalt(salt, {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(salts().nextVersion(tenant, {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(salts().eraseAuditSalt(tenant, 1, 1, {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(salts().replaceEnvelope(salt, 'k1', {})).rejects.toMatchObject({ code: 'invalid' });
      const failed = within(async (context) => {
        await salts().createAuditSalt(salt, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await salts().listAuditSalts(tenant)).toEqual([]);
    });

    test.each([
      [{ tenant: 'nowhere' }, 'not_found'],
      [{ tenant: '' }, 'invalid'],
      [{ kekId: '' }, 'invalid'],
      [{ envelope: '' }, 'invalid'],
    ])('one with %j is refused as %s', async (change, code) => {
      const salt = { ...saltOf(await shared.newTenant(), 1), ...change };
      await expect(within((context) => salts().createAuditSalt(salt, context))).rejects.toMatchObject({ code });
    });
  });
}
