import { DEFAULT_RISK, integrationSchema, type Rule } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import { runInTransaction } from '../transaction.ts';
import type { DbHarness, MakeDbHarness } from './harness.ts';

const RULE: Rule = { id: 'reads', effect: 'allow' };
const GITHUB = integrationSchema.parse({ name: 'github', baseUrl: 'https://api.github.com' });

export function describeDirectoryPort(makeHarness: MakeDbHarness): void {
  describe('the directory', () => {
    let harness: DbHarness;
    const bump = (tenant: string) =>
      runInTransaction(harness.client, (context) => harness.repositories.directory.bump(tenant, context));
    beforeEach(async () => {
      harness = await makeHarness();
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    test('a stamp tells which tenants changed since a revision', async () => {
      const { directory } = harness.repositories;
      expect(await directory.changesSince(0)).toEqual({ revision: 0, tenants: [] });
      const first = await bump('acme');
      const second = await bump('beta');
      expect(second).toBe(first + 1);
      expect(await directory.changesSince(0)).toEqual({ revision: second, tenants: ['acme', 'beta'] });
      expect(await directory.changesSince(first)).toEqual({ revision: second, tenants: ['beta'] });
      expect(await directory.changesSince(second)).toEqual({ revision: second, tenants: [] });
    });

    test('a global stamp is a stamp on every tenant', async () => {
      const before = await bump('acme');
      const after = await bump(GLOBAL_TENANT);
      const changes = await harness.repositories.directory.changesSince(before);
      expect(changes).toEqual({ revision: after, tenants: ['acme', 'beta'] });
    });

    test('a stamp stands or falls with its transaction, and needs one', async () => {
      const { directory } = harness.repositories;
      const failed = runInTransaction(harness.client, async (context) => {
        await directory.bump('acme', context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await directory.changesSince(0)).toEqual({ revision: 0, tenants: [] });
      await expect(directory.bump('acme', {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(bump('nope')).rejects.toMatchObject({ code: 'not_found' });
    });

    test('a change is not seen before it is committed, and reading does not wait for that', async () => {
      const { directory } = harness.repositories;
      await runInTransaction(harness.client, async (context) => {
        await directory.bump('acme', context);
        expect(await directory.changesSince(0)).toEqual({ revision: 0, tenants: [] });
      });
      expect(await directory.changesSince(0)).toEqual({ revision: 1, tenants: ['acme'] });
    });

    test('a tenant loads whole, with the global rules and without disabled ones', async () => {
      const { directory, integrations, policyRules, secrets } = harness.repositories;
      const integration = await integrations.create('acme', GITHUB, 'api');
      const rule = await policyRules.createPolicyRule('acme', RULE, 'api');
      await policyRules.createPolicyRule('acme', { ...RULE, id: 'off' }, 'api');
      await policyRules.disablePolicyRule('acme', 'off', 1_000);
      await policyRules.createPolicyRule('beta', RULE, 'api');
      const global = await policyRules.createPolicyRule(GLOBAL_TENANT, { ...RULE, effect: 'deny' }, 'config');
      const secret = await runInTransaction(harness.client, (context) =>
        secrets.createSecretEnvelopeVersion(
          { tenant: 'acme', name: 'token', version: 1, kekId: 'k', envelope: '{}' },
          { origin: 'api' },
          context,
        ),
      );
      const revision = await bump('acme');
      expect(await directory.load('acme')).toEqual({
        tenant: 'acme',
        revision,
        limits: {},
        integrations: [integration],
        rules: [rule],
        globalRules: [global],
        settings: { tenant: 'acme', risk: DEFAULT_RISK, version: 0 },
        secrets: [secret],
        templates: [],
      });
    });

    test('there is nothing to load of a tenant that is not there', async () => {
      expect(await harness.repositories.directory.load('nope')).toBeUndefined();
      expect(await harness.repositories.directory.load(GLOBAL_TENANT)).toBeUndefined();
    });
  });
}
