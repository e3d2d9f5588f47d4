import { describe, expect, test } from 'vitest';
import type { RedactionAction, RedactionProfile } from '../ports/redaction-profiles.ts';
import type { MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

const PROFILE: RedactionProfile = {
  fields: [
    { field: 'user.email', action: 'hash' },
    { field: 'title', action: 'keep' },
  ],
  fallback: 'mask',
  depthMax: 5,
  itemsMax: 100,
  charactersMax: 512,
};

export function describeRedactionProfilesPort(makeHarness: MakeDbHarness): void {
  describe('redaction profiles', () => {
    const shared = shareHarness(makeHarness);
    const port = () => shared.repositories.redactionProfiles;
    const by = { updatedBy: 'root' };

    test('a tenant has none until one is set, and none again when it is removed', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      expect(await port().getRedactionProfile(tenant)).toBeUndefined();
      const set = await port().setRedactionProfile(tenant, PROFILE, { ...by, ifVersion: 0 });
      expect(set).toEqual({ tenant, profile: PROFILE, version: 1, updatedBy: 'root', updatedAt: shared.clock.nowMs });
      expect(await port().getRedactionProfile(tenant)).toEqual(set);
      expect(await port().getRedactionProfile(other)).toBeUndefined();
      expect(await port().removeRedactionProfile(other)).toBe(false);
      expect(await port().removeRedactionProfile(tenant)).toBe(true);
      expect(await port().getRedactionProfile(tenant)).toBeUndefined();
    });

    test('one is not set over another that was not seen, also by two at once', async () => {
      const tenant = await shared.newTenant();
      const second = await shared.secondProcess();
      const set = await Promise.allSettled([
        port().setRedactionProfile(tenant, PROFILE, { ...by, ifVersion: 0 }),
        second.redactionProfiles.setRedactionProfile(tenant, PROFILE, { ...by, ifVersion: 0 }),
      ]);
      expect(set.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const stale = port().setRedactionProfile(tenant, PROFILE, { ...by, ifVersion: 7 });
      await expect(stale).rejects.toMatchObject({ code: 'stale' });
    });

    test.each([
      [{ depthMax: 1, itemsMax: 1, charactersMax: 1, fields: [] }, undefined],
      [{ depthMax: 0 }, 'invalid'],
      [{ depthMax: 6 }, 'invalid'],
      [{ itemsMax: 0 }, 'invalid'],
      [{ itemsMax: 101 }, 'invalid'],
      [{ charactersMax: 0 }, 'invalid'],
      [{ charactersMax: 513 }, 'invalid'],
      [{ fallback: 'show' as RedactionAction }, 'invalid'],
      [{ fields: [{ field: '', action: 'keep' as const }] }, 'invalid'],
      [{ fields: [{ field: 'a', action: 'show' as RedactionAction }] }, 'invalid'],
      [{ fields: [PROFILE.fields[0], PROFILE.fields[0]] as typeof PROFILE.fields }, 'invalid'],
      [{ fields: [{ field: 'a\u0000', action: 'keep' as const }] }, 'invalid'],
    ])('one with %j is refused as %s', async (change, code) => {
      const tenant = await shared.newTenant();
      const setting = port().setRedactionProfile(tenant, { ...PROFILE, ...change }, by);
      if (code === undefined) expect((await setting).profile).toEqual({ ...PROFILE, ...change });
      else await expect(setting).rejects.toMatchObject({ code });
    });

    test('one belongs to a tenant that is there', async () => {
      await expect(port().setRedactionProfile('nowhere', PROFILE, by)).rejects.toMatchObject({ code: 'not_found' });
      await expect(port().setRedactionProfile('', PROFILE, by)).rejects.toMatchObject({ code: 'invalid' });
    });

    test('a stored one that is out of bounds is refused, and does not show more', async () => {
      const tenant = await shared.newTenant();
      await port().setRedactionProfile(tenant, PROFILE, by);
      const wide = JSON.stringify({ ...PROFILE, charactersMax: 1_000_000 });
      const { client } = shared.harness;
      await client
        .writes(tenant)
        .updateTable('redaction_profiles')
        .set({ profile: wide })
        .where('tenant', '=', tenant)
        .execute();
      await expect(port().getRedactionProfile(tenant)).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('redaction_profiles.profile'),
      });
    });
  });
}
