import { describe, expect, test } from 'vitest';
import type { DbContext } from '../ports/context.ts';
import type { ManifestKeyStatus, ManifestKeysetRef, NewManifestKey } from '../ports/manifest-keys.ts';
import type { MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

const PUBLIC_JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const PLANTED = 'the-private-half-in-clear';

export function describeManifestKeysPort(makeHarness: MakeDbHarness): void {
  describe('manifest keys', () => {
    const shared = shareHarness(makeHarness);
    const keys = () => shared.repositories.manifestKeys;
    const newKeyset = async (): Promise<ManifestKeysetRef> => ({
      tenant: await shared.newTenant(),
      keyset: 'manifest',
    });
    const keyOf = (ref: ManifestKeysetRef, kid: string, change: Partial<NewManifestKey> = {}): NewManifestKey => ({
      ...ref,
      kid,
      algorithm: 'EdDSA',
      publicJwk: PUBLIC_JWK,
      kekId: 'k1',
      envelope: `{"sealed":"${kid}"}`,
      ...change,
    });
    const within = shared.within;
    const create = (ref: ManifestKeysetRef, kid: string, change: Partial<NewManifestKey> = {}) =>
      within((context) => keys().create(keyOf(ref, kid, change), context));
    const move = (verb: 'setActive' | 'retire' | 'revoke', ref: ManifestKeysetRef, kid: string) =>
      within((context) => keys()[verb](ref, kid, context));

    test('a key is published before it signs, and signs once it is set active', async () => {
      const ref = await newKeyset();
      const key = await create(ref, 'one', { maxAgeSeconds: 300 });
      expect(key).toEqual({
        ...ref,
        kid: 'one',
        algorithm: 'EdDSA',
        publicJwk: PUBLIC_JWK,
        createdAt: shared.clock.nowMs,
        status: 'active',
      });
      const listed = await keys().list(ref);
      expect(listed).toEqual({
        ...ref,
        etag: expect.stringMatching(/^W\/"[A-Za-z0-9_-]{43}"$/),
        generatedAt: shared.clock.nowMs,
        maxAgeSeconds: 300,
        keys: [key],
      });
      await expect(keys().getActive(ref)).rejects.toMatchObject({ code: 'not_found' });
      const active = await move('setActive', ref, 'one');
      expect(active).toMatchObject({ activeKid: 'one', keys: [key] });
      expect(await keys().getActive(ref)).toEqual({ key, sealed: { kekId: 'k1', envelope: '{"sealed":"one"}' } });
    });

    test('a rotation: the new one signs, the old one still verifies, and at last does not', async () => {
      const ref = await newKeyset();
      await create(ref, 'old');
      await move('setActive', ref, 'old');
      shared.clock.nowMs += 1;
      await create(ref, 'new');
      await move('setActive', ref, 'new');
      const retired = await move('retire', ref, 'old');
      expect(retired.activeKid).toBe('new');
      expect(retired.keys.map(({ kid, status }) => `${kid} ${status}`)).toEqual(['new active', 'old retired']);
      const revoked = await move('revoke', ref, 'old');
      expect(revoked.keys[1]).toMatchObject({
        status: 'revoked',
        retiredAt: shared.clock.nowMs,
        revokedAt: shared.clock.nowMs,
      });
      expect(await keys().list(ref)).toEqual(revoked);
      expect((await keys().getActive(ref)).key.kid).toBe('new');
    });

    test('every change has an ETag of its own, and reading changes none', async () => {
      const ref = await newKeyset();
      const tags: string[] = [];
      const note = async () => tags.push((await keys().list(ref)).etag);
      await create(ref, 'one');
      await note();
      for (const verb of ['setActive', 'retire', 'revoke'] as const) {
        await move(verb, ref, 'one');
        await note();
      }
      await create(ref, 'two');
      await note();
      expect(new Set(tags).size).toBe(5);
      expect((await keys().list(ref)).etag).toBe(tags.at(-1));
    });

    const allowed: Record<'setActive' | 'retire' | 'revoke', ManifestKeyStatus> = {
      setActive: 'active',
      retire: 'active',
      revoke: 'retired',
    };
    test.each(
      (['setActive', 'retire', 'revoke'] as const).flatMap((verb) =>
        (['active', 'retired', 'revoked'] as const).map((status) => [verb, status, allowed[verb] === status] as const),
      ),
    )('%s of one that is %s is done: %s', async (verb, status, isAllowed) => {
      const ref = await newKeyset();
      await create(ref, 'one');
      if (status !== 'active') await move('retire', ref, 'one');
      if (status === 'revoked') await move('revoke', ref, 'one');
      const before = await keys().list(ref);
      if (isAllowed) {
        expect((await move(verb, ref, 'one')).etag).not.toBe(before.etag);
      } else {
        await expect(move(verb, ref, 'one')).rejects.toMatchObject({ code: 'stale' });
        expect(await keys().list(ref)).toEqual(before);
      }
    });

    test('a key that is retired while it signs leaves none that does, and drops its private half', async () => {
      const ref = await newKeyset();
      await create(ref, 'one');
      await move('setActive', ref, 'one');
      expect((await move('retire', ref, 'one')).activeKid).toBeUndefined();
      await expect(keys().getActive(ref)).rejects.toMatchObject({ code: 'not_found' });
      const { client } = shared.harness;
      const row = await client
        .points(ref.tenant)
        .selectFrom('manifest_keys')
        .select(['kek_id', 'envelope'])
        .where('tenant', '=', ref.tenant)
        .executeTakeFirstOrThrow();
      expect(row).toEqual({ kek_id: null, envelope: null });
    });

    test('of two processes that retire a key at once, one does', async () => {
      const ref = await newKeyset();
      await create(ref, 'one');
      const moves = await Promise.allSettled([
        move('retire', ref, 'one'),
        shared.secondWithin((context, { manifestKeys }) => manifestKeys.retire(ref, 'one', context)),
      ]);
      expect(moves.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect((await keys().list(ref)).keys[0]?.status).toBe('retired');
    });

    test('a kid is known once in its keyset, and for ever', async () => {
      const ref = await newKeyset();
      await create(ref, 'one');
      await move('retire', ref, 'one');
      await move('revoke', ref, 'one');
      await expect(create(ref, 'one')).rejects.toMatchObject({ code: 'conflict' });
      expect((await create({ ...ref, keyset: 'other' }, 'one')).keyset).toBe('other');
    });

    test('keys of another tenant or keyset are not found', async () => {
      const [ref, foreign] = [await newKeyset(), await newKeyset()];
      await create(ref, 'one');
      await expect(keys().list(foreign)).rejects.toMatchObject({ code: 'not_found' });
      await expect(keys().getActive(foreign)).rejects.toMatchObject({ code: 'not_found' });
      for (const verb of ['setActive', 'retire', 'revoke'] as const) {
        await expect(move(verb, foreign, 'one')).rejects.toMatchObject({ code: 'not_found' });
        await expect(move(verb, ref, 'nobody')).rejects.toMatchObject({ code: 'not_found' });
      }
    });

    test('a keyset of the whole instance is one like others', async () => {
      const ref = { tenant: '*', keyset: 'instance' };
      await create(ref, 'one');
      expect((await move('setActive', ref, 'one')).activeKid).toBe('one');
    });

    test('all writes need a transaction', async () => {
      const ref = await newKeyset();
      const refusal = { code: 'invalid', message: expect.stringContaining('transaction') };
      const none: DbContext = {};
      await expect(keys().create(keyOf(ref, 'one'), none)).rejects.toMatchObject(refusal);
      for (const verb of ['setActive', 'retire', 'revoke'] as const) {
        await expect(keys()[verb](ref, 'one', none)).rejects.toMatchObject(refusal);
      }
      const sealed = { ...ref, kid: 'one', kekId: 'k2', envelope: '{}' };
      await expect(keys().replaceEnvelope(sealed, 'k1', none)).rejects.toMatchObject(refusal);
    });

    test('an envelope is sealed anew under another key, once', async () => {
      const ref = await newKeyset();
      await create(ref, 'one');
      await move('setActive', ref, 'one');
      const replace = (oldKekId: string) =>
        within((context) =>
          keys().replaceEnvelope({ ...ref, kid: 'one', kekId: 'k2', envelope: '{"anew":1}' }, oldKekId, context),
        );
      expect(await replace('k0')).toBe(false);
      expect(await replace('k1')).toBe(true);
      expect(await replace('k1')).toBe(false);
      expect((await keys().getActive(ref)).sealed).toEqual({ kekId: 'k2', envelope: '{"anew":1}' });
      await move('retire', ref, 'one');
      expect(await replace('k2')).toBe(false);
    });

    test('metadata that is missing, or not of these keys, fails and is not made up', async () => {
      const { client } = shared.harness;
      const ref = await newKeyset();
      await create(ref, 'one');
      await move('setActive', ref, 'one');
      const change = (set: { etag?: string; active_kid?: string }) =>
        client.writes(ref.tenant).updateTable('manifest_keysets').set(set).where('tenant', '=', ref.tenant).execute();
      const { etag } = await keys().list(ref);
      await change({ etag: 'W/"other"' });
      await expect(keys().list(ref)).rejects.toMatchObject({ code: 'invalid' });
      await change({ etag, active_kid: 'nobody' });
      await expect(keys().list(ref)).rejects.toMatchObject({ code: 'invalid' });
      await expect(keys().getActive(ref)).rejects.toMatchObject({ code: 'not_found' });
      await client.writes(ref.tenant).deleteFrom('manifest_keys').where('tenant', '=', ref.tenant).execute();
      await expect(keys().list(ref)).rejects.toMatchObject({ code: 'invalid' });
    });

    test.each([
      [{ kid: '' }, 'invalid'],
      [{ keyset: '' }, 'invalid'],
      [{ tenant: 'nowhere' }, 'not_found'],
      [{ algorithm: 'none' as 'EdDSA' }, 'invalid'],
      [{ algorithm: 'HS256' as 'EdDSA' }, 'invalid'],
      [{ kekId: '' }, 'invalid'],
      [{ envelope: '' }, 'invalid'],
      [{ publicJwk: {} }, 'invalid'],
      [{ publicJwk: { ...PUBLIC_JWK, d: PLANTED } }, 'invalid'],
      [{ publicJwk: { kty: 'oct', k: PLANTED } }, 'invalid'],
      [{ maxAgeSeconds: 29 }, 'invalid'],
      [{ maxAgeSeconds: 301 }, 'invalid'],
    ] as const)('a key with %j is refused as %s, and nothing of it is stored', async (change, code) => {
      const ref = await newKeyset();
      const making = create(ref, 'one', change as Partial<NewManifestKey>);
      await expect(making).rejects.toMatchObject({ code });
      await expect(making).rejects.not.toThrow(PLANTED);
      await expect(keys().list(ref)).rejects.toMatchObject({ code: 'not_found' });
    });
  });
}
