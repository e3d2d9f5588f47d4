import type { Kysely } from 'kysely';
import { requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import type { DbContext } from '../ports/context.ts';
import { DbError } from '../ports/db-error.ts';
import type { ManifestKeysetRef, ManifestKeysPort } from '../ports/manifest-keys.ts';
import { storedValue } from '../stored.ts';
import type { Tables } from '../tables.ts';
import { pointsOf, requireScope } from '../transaction.ts';
import { requireManifestKey, selectManifestKeys, toManifestKey, toManifestKeyRow } from './manifest-key-rows.ts';
import { readKeyset, renewKeyset, requireKeysetRow } from './manifest-keysets.ts';
import type { RepositoryOptions } from './repository-options.ts';

const MAX_AGE_SECONDS = 60;

export function createManifestKeys(dbClient: DbClient, { now }: RepositoryOptions): ManifestKeysPort {
  const within = (ref: ManifestKeysetRef, context: DbContext) =>
    requireScope(dbClient, context, 'changing manifest keys').kysely(ref.tenant);
  return {
    ...createReads(dbClient),

    async create(key, context) {
      requireManifestKey(key);
      const kysely = within(key, context);
      const { tenant, keyset, maxAgeSeconds: max_age_seconds = MAX_AGE_SECONDS } = key;
      const at = now();
      const empty = { tenant, keyset, active_kid: null, etag: 'W/""', generated_at: at, max_age_seconds };
      const opening = kysely
        .insertInto('manifest_keysets')
        .values(empty)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await withReference('manifest_keysets.tenant', opening);
      const row = toManifestKeyRow(key, at);
      await kysely.insertInto('manifest_keys').values(row).execute();
      await renewKeyset(kysely, key, at);
      return toManifestKey(row);
    },

    async setActive(ref, kid, context) {
      const kysely = within(ref, context);
      const key = await requireKey(kysely, ref, kid);
      if (key.status !== 'active') throw new DbError('stale', `manifest_keys.status is ${key.status}`);
      return renewKeyset(kysely, ref, now(), kid);
    },

    async retire(ref, kid, context) {
      const kysely = within(ref, context);
      const at = now();
      await requireKey(kysely, ref, kid);
      const retired = { status: 'retired' as const, retired_at: at, kek_id: null, envelope: null };
      const { numUpdatedRows } = await updateKey(kysely, ref, kid)
        .set(retired)
        .where('status', '=', 'active')
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new DbError('stale', 'manifest_keys.status is not active');
      const { active_kid } = await requireKeysetRow(kysely, ref);
      return renewKeyset(kysely, ref, at, active_kid === kid ? null : active_kid);
    },

    async revoke(ref, kid, context) {
      const kysely = within(ref, context);
      const at = now();
      await requireKey(kysely, ref, kid);
      const { numUpdatedRows } = await updateKey(kysely, ref, kid)
        .set({ status: 'revoked', revoked_at: at })
        .where('status', '=', 'retired')
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new DbError('stale', 'manifest_keys.status is not retired');
      return renewKeyset(kysely, ref, at);
    },

    async replaceEnvelope({ kid, kekId, envelope, ...ref }, oldKekId, context) {
      requireText('manifest_keys.kek_id', kekId);
      requireText('manifest_keys.envelope', envelope);
      const { numUpdatedRows } = await updateKey(within(ref, context), ref, kid)
        .set({ kek_id: kekId, envelope })
        .where('kek_id', '=', oldKekId)
        .where('status', '=', 'active')
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}

function createReads(dbClient: DbClient): Pick<ManifestKeysPort, 'getActive' | 'list'> {
  return {
    async getActive(ref, context) {
      const row = await selectManifestKeys(pointsOf(dbClient, context, ref.tenant), ref)
        .innerJoin('manifest_keysets', (join) =>
          join
            .onRef('manifest_keysets.tenant', '=', 'manifest_keys.tenant')
            .onRef('manifest_keysets.keyset', '=', 'manifest_keys.keyset')
            .onRef('manifest_keysets.active_kid', '=', 'manifest_keys.kid'),
        )
        .executeTakeFirst();
      if (row === undefined) throw new DbError('not_found', 'no key of that keyset signs');
      const key = toManifestKey(row);
      if (key.status !== 'active') {
        throw new DbError(
          'invalid',
          `manifest_keysets.active_kid names a key whose manifest_keys.status is ${key.status}`,
        );
      }
      return {
        key,
        sealed: {
          kekId: storedValue('manifest_keys.kek_id', row.kek_id, key.status),
          envelope: storedValue('manifest_keys.envelope', row.envelope, key.status),
        },
      };
    },

    list: (ref, context) => readKeyset(pointsOf(dbClient, context, ref.tenant), ref),
  };
}

function updateKey(kysely: Kysely<Tables>, { tenant, keyset }: ManifestKeysetRef, kid: string) {
  return kysely
    .updateTable('manifest_keys')
    .where('tenant', '=', tenant)
    .where('keyset', '=', keyset)
    .where('kid', '=', kid);
}

async function requireKey(kysely: Kysely<Tables>, ref: ManifestKeysetRef, kid: string) {
  const row = await selectManifestKeys(kysely, ref).where('kid', '=', kid).executeTakeFirst();
  if (row === undefined) throw new DbError('not_found', 'no such key in that keyset');
  return toManifestKey(row);
}
