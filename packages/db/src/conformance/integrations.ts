import { type Integration, integrationSchema } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const GITHUB: Integration = integrationSchema.parse({
  name: 'github',
  baseUrl: 'https://api.github.com',
  credential: { type: 'bearer', secret: 'github-token' },
  actions: [{ name: 'read', methods: ['GET'], paths: ['/repos/**'], risk: 'low' }],
});

export function describeIntegrationsPort(makeHarness: MakeDbHarness): void {
  describe('integrations', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
    });
    afterEach(() => harness.close());

    test('a created integration keeps all its members, and is found in its tenant alone', async () => {
      const { integrations } = harness.repositories;
      const created = await integrations.create('acme', GITHUB, 'config');
      expect(created).toMatchObject({ tenant: 'acme', name: 'github', spec: GITHUB, origin: 'config', version: 1 });
      expect(await integrations.getById('acme', created.id)).toEqual(created);
      expect(await integrations.getByName('acme', 'github')).toEqual(created);
      expect(await integrations.getByName('other', 'github')).toBeUndefined();
      await expect(integrations.create('acme', GITHUB, 'api')).rejects.toMatchObject({ code: 'conflict' });
    });

    test('an update replaces the spec under its conditions', async () => {
      const { integrations } = harness.repositories;
      const { id } = await integrations.create('acme', GITHUB, 'config');
      const changed = { ...GITHUB, disabled: true };
      expect(await integrations.update('acme', id, changed, { ifVersion: 1 })).toMatchObject({
        spec: changed,
        version: 2,
        origin: 'config',
      });
      const renamed = { ...GITHUB, name: 'gitlab' };
      await expect(integrations.update('acme', id, GITHUB, { ifVersion: 1 })).rejects.toMatchObject({ code: 'stale' });
      await expect(integrations.update('acme', id, renamed, {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(integrations.update('other', id, GITHUB, {})).rejects.toMatchObject({ code: 'not_found' });
    });

    test('a removed integration is gone', async () => {
      const { integrations } = harness.repositories;
      const { id } = await integrations.create('acme', GITHUB, 'api');
      await integrations.remove('acme', id);
      expect(await integrations.getById('acme', id)).toBeUndefined();
      await expect(integrations.remove('acme', id)).rejects.toMatchObject({ code: 'not_found' });
    });

    test('those with an own address are found over all tenants', async () => {
      const { integrations, tenants } = harness.repositories;
      await tenants.create('other');
      const create = (tenant: string, name: string, listen: string | null) =>
        integrations.create(tenant, { ...GITHUB, name, listen }, 'api');
      await create('other', 'b', '127.0.0.1:8101');
      await create('acme', 'quiet', null);
      const moved = await create('acme', 'a', '[::1]:0');
      const namesOf = async () => (await integrations.listListening()).map(({ tenant, name }) => `${tenant}/${name}`);
      expect(await namesOf()).toEqual(['acme/a', 'other/b']);
      await integrations.update('acme', moved.id, { ...moved.spec, listen: null }, {});
      expect(await namesOf()).toEqual(['other/b']);
    });

    test('the list goes by name, in pages', async () => {
      const { integrations } = harness.repositories;
      for (const name of ['b', 'c', 'a']) await integrations.create('acme', { ...GITHUB, name }, 'api');
      const { items } = await readPages((cursor) =>
        integrations.listByTenant('acme', { limit: 1, ...(cursor && { cursor }) }),
      );
      expect(items.map((integration) => integration.name)).toEqual(['a', 'b', 'c']);
    });

    test('a stored spec that is no integration any more is refused by table and column', async () => {
      const { client, repositories } = harness;
      await repositories.integrations.create('acme', GITHUB, 'api');
      await client.writes(INSTANCE_SCOPE).updateTable('integrations').set({ spec: '{"name":"github"}' }).execute();
      const refusal = { code: 'invalid', message: expect.stringContaining('integrations.spec') };
      await expect(repositories.integrations.getByName('acme', 'github')).rejects.toMatchObject(refusal);
      await expect(repositories.directory.load('acme')).rejects.toMatchObject(refusal);
    });
  });
}
