import { createHash } from 'node:crypto';
import { integrationSchema, type TemplateInput, templateSchema } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { DbContext, Origin } from '../ports/context.ts';
import { runInTransaction } from '../transaction.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const ACME: TemplateInput = {
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'things.read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
};

const documentOf = (members: Partial<TemplateInput> = {}) =>
  JSON.stringify(templateSchema.parse({ ...ACME, ...members }));

export function describeTemplatesPort(makeHarness: MakeDbHarness): void {
  describe('templates', () => {
    let harness: DbHarness;
    const within = <T>(operation: (context: DbContext) => Promise<T>) => runInTransaction(harness.client, operation);
    const publish = (document = documentOf(), { tenant = 'acme', origin = 'api' as Origin } = {}) =>
      within((context) =>
        harness.repositories.templates.createTemplateVersionImmutable({ tenant, document, origin }, context),
      );
    const retire = (version: number, name = 'acme') =>
      within((context) => harness.repositories.templates.retireTemplateVersion('acme', name, version, context));
    const referencesOf = (items: readonly { name: string; version: number }[]) =>
      items.map(({ name, version }) => `${name}@${version}`);
    beforeEach(async () => {
      harness = await makeHarness();
      for (const tenant of ['acme', 'beta']) await harness.repositories.tenants.create(tenant);
    });
    afterEach(() => harness.close());

    test('a published version keeps what it says and the hash of its bytes, and is found in its tenant alone', async () => {
      const { templates } = harness.repositories;
      harness.clock.nowMs = 4_000;
      const document = documentOf({ title: 'Ä \u20ac' });
      const { record, creation } = await publish(document);
      expect(creation).toBe('created');
      expect(record).toEqual({
        tenant: 'acme',
        name: 'acme',
        version: 1,
        spec: JSON.parse(document),
        contentHash: createHash('sha256').update(document, 'utf8').digest('hex'),
        origin: 'api',
        createdAt: 4_000,
      });
      expect(await templates.getTemplateVersion('acme', 'acme', 1)).toEqual(record);
      expect(await templates.getLatestTemplate('acme', 'acme')).toEqual(record);
      expect(await templates.getTemplateVersion('beta', 'acme', 1)).toBeUndefined();
      expect(await templates.getLatestTemplate('beta', 'acme')).toBeUndefined();
      expect((await templates.listByTenant('beta', { limit: 9 })).items).toEqual([]);
      // Another tenant may have one of the same name, with other content.
      expect((await publish(documentOf({ title: 'Other' }), { tenant: 'beta' })).creation).toBe('created');
      expect(await templates.getTemplateVersion('acme', 'acme', 1)).toEqual(record);
    });

    test('the same content again changes nothing, other content is a conflict', async () => {
      const { templates } = harness.repositories;
      const { record } = await publish();
      harness.clock.nowMs += 1_000;
      expect(await publish()).toEqual({ record, creation: 'unchanged' });
      await expect(publish(documentOf({ title: 'Other' }))).rejects.toMatchObject({ code: 'conflict' });
      expect(await templates.getTemplateVersion('acme', 'acme', 1)).toEqual(record);
    });

    test('a version below the highest is refused, also below one that is out of use', async () => {
      await publish(documentOf({ version: 3 }));
      await expect(publish(documentOf({ version: 2 }))).rejects.toMatchObject({ code: 'stale' });
      await retire(3);
      await expect(publish(documentOf({ version: 2 }))).rejects.toMatchObject({ code: 'stale' });
      expect((await publish(documentOf({ version: 4 }))).creation).toBe('created');
    });

    test('what is no template, a tenant that is not there, and a bad origin are refused', async () => {
      await expect(publish('{"name":"acme","version":1}')).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('template_versions.spec'),
      });
      await expect(publish('{')).rejects.toMatchObject({ code: 'invalid' });
      await expect(publish(documentOf(), { tenant: 'nope' })).rejects.toMatchObject({ code: 'not_found' });
      await expect(publish(documentOf(), { tenant: '' })).rejects.toMatchObject({ code: 'invalid' });
      await expect(publish(documentOf(), { origin: 'file' as Origin })).rejects.toMatchObject({ code: 'invalid' });
    });

    test('writes stand or fall with their transaction, and need one', async () => {
      const { templates } = harness.repositories;
      const version = { tenant: 'acme', document: documentOf(), origin: 'api' } as const;
      await expect(templates.createTemplateVersionImmutable(version, {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(templates.retireTemplateVersion('acme', 'acme', 1, {})).rejects.toMatchObject({ code: 'invalid' });
      const failed = within(async (context) => {
        await templates.createTemplateVersionImmutable(version, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await templates.getLatestTemplate('acme', 'acme')).toBeUndefined();
    });

    test('a version out of use is not seen, and comes back as it was', async () => {
      const { templates } = harness.repositories;
      const first = await publish(documentOf(), { origin: 'config' });
      await publish(documentOf({ version: 2 }));
      expect(await retire(2)).toBe(true);
      expect(await retire(2)).toBe(false);
      expect(await retire(7)).toBe(false);
      expect(await templates.getTemplateVersion('acme', 'acme', 2)).toBeUndefined();
      expect(await templates.getLatestTemplate('acme', 'acme')).toEqual(first.record);
      expect(referencesOf((await templates.listTemplateVersions('acme', 'acme', { limit: 9 })).items)).toEqual([
        'acme@1',
      ]);
      expect(referencesOf((await templates.listByTenant('acme', { limit: 9 })).items)).toEqual(['acme@1']);
      expect(referencesOf((await templates.listLatestByTenant('acme', { limit: 9 })).items)).toEqual(['acme@1']);
      expect((await templates.getPublishedTemplate('acme', 'acme', 'highest'))?.version).toBe(2);
      expect((await templates.getPublishedTemplate('acme', 'acme', 2))?.version).toBe(2);
      expect(await templates.getPublishedTemplate('acme', 'acme', 3)).toBeUndefined();
      expect(await templates.getPublishedTemplate('beta', 'acme', 'highest')).toBeUndefined();
      await expect(publish(documentOf({ version: 2, title: 'Other' }))).rejects.toMatchObject({ code: 'conflict' });
      expect((await publish(documentOf({ version: 2 }), { origin: 'config' })).creation).toBe('restored');
      expect(await templates.getLatestTemplate('acme', 'acme')).toMatchObject({ version: 2, origin: 'config' });
    });

    test('a document takes over what it names, the API leaves a document its own', async () => {
      expect((await publish()).record.origin).toBe('api');
      expect(await publish(documentOf(), { origin: 'config' })).toMatchObject({
        creation: 'unchanged',
        record: { origin: 'config' },
      });
      expect((await publish()).record.origin).toBe('config');
      expect((await harness.repositories.templates.getLatestTemplate('acme', 'acme'))?.origin).toBe('config');
    });

    test('lists go by name and number, in pages', async () => {
      const { templates } = harness.repositories;
      for (const version of [1, 2, 10]) await publish(documentOf({ version }));
      for (const name of ['zeta', 'beta', 'acme-more']) await publish(documentOf({ name }));
      const pages = (list: 'listLatestByTenant' | 'listByTenant') =>
        readPages((cursor) => templates[list]('acme', { limit: 2, ...(cursor && { cursor }) }));
      expect(referencesOf((await pages('listByTenant')).items)).toEqual([
        'acme@1',
        'acme@2',
        'acme@10',
        'acme-more@1',
        'beta@1',
        'zeta@1',
      ]);
      expect(referencesOf((await pages('listLatestByTenant')).items)).toEqual([
        'acme@10',
        'acme-more@1',
        'beta@1',
        'zeta@1',
      ]);
      const versions = await readPages((cursor) =>
        templates.listTemplateVersions('acme', 'acme', { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(referencesOf(versions.items)).toEqual(['acme@10', 'acme@2', 'acme@1']);
      expect(versions.sizes).toEqual([2, 1]);
      await expect(templates.listByTenant('acme', { limit: 2, cursor: 'nonsense' })).rejects.toMatchObject({
        code: 'invalid',
      });
    });

    test('a stored text that is not what was published is refused by table and column', async () => {
      const { templates } = harness.repositories;
      await publish();
      const changed = documentOf({ title: 'Changed behind the back' });
      await harness.client.writes(INSTANCE_SCOPE).updateTable('template_versions').set({ spec: changed }).execute();
      const refusal = { code: 'invalid', message: expect.stringContaining('template_versions.spec') };
      await expect(templates.getTemplateVersion('acme', 'acme', 1)).rejects.toMatchObject(refusal);
      const content_hash = createHash('sha256').update('{}').digest('hex');
      await harness.client
        .writes(INSTANCE_SCOPE)
        .updateTable('template_versions')
        .set({ spec: '{}', content_hash })
        .execute();
      await expect(templates.getTemplateVersion('acme', 'acme', 1)).rejects.toMatchObject(refusal);
    });

    test('the directory carries what integrations of the tenant name, and nothing else', async () => {
      const { directory, integrations } = harness.repositories;
      const named = (await publish(documentOf({ version: 2 }))).record;
      await publish(documentOf({ version: 3 }));
      await publish(documentOf({ version: 2, title: 'Foreign' }), { tenant: 'beta' });
      const load = async () => (await directory.load('acme'))?.templates;
      expect(await load()).toEqual([]);
      const spec = (template: string | null) =>
        integrationSchema.parse({ name: 'api', baseUrl: 'https://api.acme.example', template });
      const { id } = await integrations.create('acme', spec('acme@2'), 'api');
      expect(await load()).toEqual([named]);
      await integrations.update('acme', id, spec('github@1'), {});
      expect(await load()).toEqual([]);
      await integrations.update('acme', id, spec(null), {});
      expect(await load()).toEqual([]);
    });
  });
}
