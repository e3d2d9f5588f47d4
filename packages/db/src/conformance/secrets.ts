import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DbContext } from '../ports/context.ts';
import type { SecretEnvelopeVersion } from '../ports/secrets.ts';
import { runInTransaction } from '../transaction.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

function envelope(version: number, name = 'token'): Omit<SecretEnvelopeVersion, 'createdAt'> {
  return { tenant: 'acme', name, version, kekId: 'kek-1', envelope: `{"sealed":${version}}` };
}

export function describeSecretsPort(makeHarness: MakeDbHarness): void {
  describe('secrets', () => {
    let harness: DbHarness;
    const inTransaction = <T>(operation: (context: DbContext) => Promise<T>) =>
      runInTransaction(harness.client, operation);
    const write = (version: number, name?: string) =>
      inTransaction((context) =>
        harness.repositories.secrets.createSecretEnvelopeVersion(envelope(version, name), { origin: 'api' }, context),
      );
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
    });
    afterEach(() => harness.close());

    test('each version is the next one, becomes active and keeps the secret', async () => {
      const { secrets } = harness.repositories;
      const first = await write(1);
      expect(first).toMatchObject({ tenant: 'acme', name: 'token', activeVersion: 1, origin: 'api' });
      expect(await inTransaction((context) => secrets.nextVersion('acme', 'token', context))).toBe(2);
      const second = await write(2);
      expect(second).toMatchObject({ id: first.id, activeVersion: 2 });
      expect(await secrets.getActiveSecretEnvelope('acme', 'token')).toMatchObject(envelope(2));
      expect(await secrets.getSecretEnvelopeVersion('acme', 'token', 1)).toMatchObject(envelope(1));
      expect(await secrets.getActiveSecretEnvelope('other', 'token')).toBeUndefined();
      expect(await secrets.getSecretEnvelopeVersion('acme', 'token', 3)).toBeUndefined();
    });

    test('a version that is not the next one is refused, and nothing of it stays', async () => {
      await write(1);
      await expect(write(1)).rejects.toMatchObject({ code: 'stale' });
      await expect(write(3)).rejects.toMatchObject({ code: 'stale' });
      expect(await harness.repositories.secrets.listSecretEnvelopeVersions('acme', 'token')).toHaveLength(1);
    });

    test('the list of versions is newest first and holds no envelope', async () => {
      await write(1);
      await write(2);
      const versions = await harness.repositories.secrets.listSecretEnvelopeVersions('acme', 'token');
      expect(versions.map((version) => version.version)).toEqual([2, 1]);
      expect(JSON.stringify(versions)).not.toContain('sealed');
    });

    test('an older version is made active again, one that is not there is refused', async () => {
      const { secrets } = harness.repositories;
      await write(1);
      await write(2);
      const activate = (version: number) =>
        inTransaction((context) => secrets.setActiveSecretEnvelopeVersion('acme', 'token', version, context));
      expect(await activate(1)).toMatchObject({ activeVersion: 1 });
      expect(await secrets.getActiveSecretEnvelope('acme', 'token')).toMatchObject({ version: 1 });
      await expect(activate(3)).rejects.toMatchObject({ code: 'not_found' });
      expect(await inTransaction((context) => secrets.nextVersion('acme', 'token', context))).toBe(3);
    });

    test('environments are set, changed and taken away; the value stays', async () => {
      const { secrets } = harness.repositories;
      await inTransaction((context) =>
        secrets.createSecretEnvelopeVersion(envelope(1), { environments: ['dev'], origin: 'config' }, context),
      );
      expect((await secrets.getByName('acme', 'token'))?.environments).toEqual(['dev']);
      const changed = await inTransaction((context) =>
        secrets.updateSecret('acme', 'token', { environments: ['dev', 'prod'], origin: 'api' }, context),
      );
      expect(changed).toMatchObject({ environments: ['dev', 'prod'], origin: 'api', activeVersion: 1 });
      const all = await inTransaction((context) => secrets.updateSecret('acme', 'token', {}, context));
      expect(all).not.toHaveProperty('environments');
      expect(all.origin).toBe('api');
      const missing = inTransaction((context) => secrets.updateSecret('acme', 'none', {}, context));
      await expect(missing).rejects.toMatchObject({ code: 'not_found' });
    });

    test('an envelope is replaced only while it is under the old key', async () => {
      const { secrets } = harness.repositories;
      await write(1);
      const rewrapped = { ...envelope(1), kekId: 'kek-2', envelope: '{"sealed":"again"}', createdAt: 0 };
      const replace = () => inTransaction((context) => secrets.replaceEnvelope(rewrapped, 'kek-1', context));
      expect(await replace()).toBe(true);
      expect(await replace()).toBe(false);
      expect(await secrets.getActiveSecretEnvelope('acme', 'token')).toMatchObject({ kekId: 'kek-2' });
    });

    test('versions that a token endpoint gave are told apart, and old ones are removed', async () => {
      const { secrets } = harness.repositories;
      const rotate = (version: number) =>
        inTransaction((context) =>
          secrets.createSecretEnvelopeVersion({ ...envelope(version), rotatedFrom: 2 }, { origin: 'api' }, context),
        );
      await write(1);
      await write(2);
      for (const version of [3, 4, 5]) await rotate(version);
      await write(6);
      expect(await secrets.getSecretEnvelopeVersion('acme', 'token', 3)).toMatchObject({ rotatedFrom: 2 });
      expect(await secrets.getSecretEnvelopeVersion('acme', 'token', 6)).not.toHaveProperty('rotatedFrom');
      await inTransaction((context) => secrets.setActiveSecretEnvelopeVersion('acme', 'token', 4, context));
      expect(await secrets.getActiveSecretEnvelope('acme', 'token')).toMatchObject({ version: 4, rotatedFrom: 2 });
      await inTransaction((context) => secrets.removeRotatedVersions('acme', 'token', 6, context));
      await inTransaction((context) => secrets.removeRotatedVersions('other', 'token', 6, context));
      const kept = await secrets.listSecretEnvelopeVersions('acme', 'token');
      expect(kept.map(({ version, rotatedFrom }) => [version, rotatedFrom])).toEqual([
        [6, undefined],
        [4, 2],
        [2, undefined],
        [1, undefined],
      ]);
    });

    test('a removed secret takes its versions along', async () => {
      const { secrets } = harness.repositories;
      await write(1);
      await inTransaction((context) => secrets.remove('acme', 'token', context));
      expect(await secrets.getByName('acme', 'token')).toBeUndefined();
      expect(await secrets.getSecretEnvelopeVersion('acme', 'token', 1)).toBeUndefined();
      const again = inTransaction((context) => secrets.remove('acme', 'token', context));
      await expect(again).rejects.toMatchObject({ code: 'not_found' });
    });

    test('the list goes by name, in pages', async () => {
      for (const name of ['b', 'c', 'a']) await write(1, name);
      const { items } = await readPages((cursor) =>
        harness.repositories.secrets.listByTenant('acme', { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(items.map((secret) => secret.name)).toEqual(['a', 'b', 'c']);
    });

    test('no write runs outside a transaction', async () => {
      const { secrets } = harness.repositories;
      const outside: DbContext = {};
      const writes: (() => Promise<unknown>)[] = [
        () => secrets.nextVersion('acme', 'token', outside),
        () => secrets.createSecretEnvelopeVersion(envelope(1), { origin: 'api' }, outside),
        () => secrets.updateSecret('acme', 'token', {}, outside),
        () => secrets.setActiveSecretEnvelopeVersion('acme', 'token', 1, outside),
        () => secrets.replaceEnvelope({ ...envelope(1), createdAt: 0 }, 'kek-1', outside),
        () => secrets.removeRotatedVersions('acme', 'token', 1, outside),
        () => secrets.remove('acme', 'token', outside),
      ];
      for (const run of writes) await expect(run()).rejects.toMatchObject({ code: 'invalid' });
    });

    test('empty identifiers and a tenant that is not there are refused', async () => {
      const { secrets } = harness.repositories;
      const create = (version: Omit<SecretEnvelopeVersion, 'createdAt'>) =>
        inTransaction((context) => secrets.createSecretEnvelopeVersion(version, { origin: 'api' }, context));
      await expect(create({ ...envelope(1), name: '' })).rejects.toMatchObject({ code: 'invalid' });
      await expect(create({ ...envelope(1), kekId: '' })).rejects.toMatchObject({ code: 'invalid' });
      await expect(create({ ...envelope(1), envelope: '' })).rejects.toMatchObject({ code: 'invalid' });
      await expect(create({ ...envelope(1), tenant: 'nope' })).rejects.toMatchObject({ code: 'not_found' });
    });
  });
}
