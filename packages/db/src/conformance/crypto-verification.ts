import { describe, expect, test } from 'vitest';
import type { MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

export function describeCryptoVerificationPort(makeHarness: MakeDbHarness): void {
  describe('crypto verification defaults', () => {
    const shared = shareHarness(makeHarness);
    const port = () => shared.repositories.cryptoVerification;
    const LOOSE = { requireTemporalValidity: false, maxClockSkewSeconds: 300 };

    test('are strict until a tenant sets others, for itself alone', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      const strict = { requireTemporalValidity: true, maxClockSkewSeconds: 0, version: 0 };
      expect(await port().getCryptoVerificationDefaults(tenant)).toEqual({ tenant, ...strict });
      const set = await port().setCryptoVerificationDefaults(tenant, { ...LOOSE, ifVersion: 0 });
      expect(set).toEqual({ tenant, ...LOOSE, version: 1, updatedAt: shared.clock.nowMs });
      expect(await port().getCryptoVerificationDefaults(tenant)).toEqual(set);
      expect(await port().getCryptoVerificationDefaults(other)).toEqual({ tenant: other, ...strict });
    });

    test('are not set over others that were not seen, also by two at once', async () => {
      const tenant = await shared.newTenant();
      const second = await shared.secondProcess();
      const set = await Promise.allSettled([
        port().setCryptoVerificationDefaults(tenant, { ...LOOSE, ifVersion: 0 }),
        second.cryptoVerification.setCryptoVerificationDefaults(tenant, { ...LOOSE, ifVersion: 0 }),
      ]);
      expect(set.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const stale = port().setCryptoVerificationDefaults(tenant, { ...LOOSE, ifVersion: 0 });
      await expect(stale).rejects.toMatchObject({ code: 'stale' });
      expect((await port().setCryptoVerificationDefaults(tenant, LOOSE)).version).toBe(2);
    });

    test.each([
      [0, true],
      [300, true],
      [-1, false],
      [301, false],
      [0.5, false],
      [Number.NaN, false],
    ])('a skew of %d seconds is taken: %s', async (maxClockSkewSeconds, isTaken) => {
      const tenant = await shared.newTenant();
      const setting = port().setCryptoVerificationDefaults(tenant, { ...LOOSE, maxClockSkewSeconds });
      if (isTaken) expect(await setting).toMatchObject({ maxClockSkewSeconds });
      else await expect(setting).rejects.toMatchObject({ code: 'invalid' });
    });

    test('belong to a tenant that is there, and say yes or no', async () => {
      await expect(port().setCryptoVerificationDefaults('nowhere', LOOSE)).rejects.toMatchObject({ code: 'not_found' });
      await expect(port().setCryptoVerificationDefaults('', LOOSE)).rejects.toMatchObject({ code: 'invalid' });
      const maybe = { ...LOOSE, requireTemporalValidity: 'no' as unknown as boolean };
      const tenant = await shared.newTenant();
      await expect(port().setCryptoVerificationDefaults(tenant, maybe)).rejects.toMatchObject({ code: 'invalid' });
    });
  });
}
