import { DEFAULT_RISK, type Risk } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { runInTransaction } from '../transaction.ts';
import type { DbHarness, MakeDbHarness } from './harness.ts';

const STRICT: Risk = {
  review: 0.1,
  deny: 0.2,
  scorer: { baseUrl: 'https://api.example.com/v1', model: 'judge', secret: 'scorer-key' },
};

export function describePolicySettingsPort(makeHarness: MakeDbHarness): void {
  describe('policy settings', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    test('a tenant that never said anything has the defaults', async () => {
      const { policySettings } = harness.repositories;
      expect(await policySettings.getPolicySettings('acme')).toEqual({
        tenant: 'acme',
        risk: DEFAULT_RISK,
        version: 0,
      });
    });

    test('what was written stays, for that tenant alone, and each write is another version', async () => {
      const { policySettings } = harness.repositories;
      expect(await policySettings.setRisk('acme', STRICT)).toEqual({ tenant: 'acme', risk: STRICT, version: 1 });
      expect(await policySettings.getPolicySettings('acme')).toEqual({ tenant: 'acme', risk: STRICT, version: 1 });
      expect(await policySettings.getPolicySettings('beta')).toMatchObject({ risk: DEFAULT_RISK, version: 0 });
      expect(await policySettings.setRisk('acme', DEFAULT_RISK)).toMatchObject({ risk: DEFAULT_RISK, version: 2 });
    });

    test('a write stands or falls with its transaction, and the data plane loads what stands', async () => {
      const { policySettings, directory } = harness.repositories;
      const failed = runInTransaction(harness.client, async (context) => {
        await policySettings.setRisk('acme', STRICT, context);
        expect((await policySettings.getPolicySettings('acme', context)).risk).toEqual(STRICT);
        expect((await directory.load('acme'))?.settings.risk).toEqual(DEFAULT_RISK);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect((await directory.load('acme'))?.settings.risk).toEqual(DEFAULT_RISK);
      await policySettings.setRisk('acme', STRICT);
      expect((await directory.load('acme'))?.settings).toEqual({ tenant: 'acme', risk: STRICT, version: 1 });
    });

    test('a tenant that is not there has no settings to write', async () => {
      const refused = harness.repositories.policySettings.setRisk('nope', STRICT);
      await expect(refused).rejects.toMatchObject({ code: 'not_found' });
    });

    test('a stored value of another form is refused, by table and column', async () => {
      await harness.repositories.policySettings.setRisk('acme', STRICT);
      const broken = JSON.stringify({ review: 0.9, deny: 0.1, scorer: null });
      await harness.client.writes(INSTANCE_SCOPE).updateTable('policy_settings').set({ risk: broken }).execute();
      const refused = { code: 'invalid', message: expect.stringContaining('policy_settings.risk') };
      await expect(harness.repositories.policySettings.getPolicySettings('acme')).rejects.toMatchObject(refused);
      await expect(harness.repositories.directory.load('acme')).rejects.toMatchObject(refused);
    });
  });
}
