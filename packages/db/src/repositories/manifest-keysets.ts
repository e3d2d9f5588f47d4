import { hash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { ManifestKeyRow, ManifestKeysetRow } from '../key-tables.ts';
import { DbError } from '../ports/db-error.ts';
import type { ManifestKeyRecord, ManifestKeyset, ManifestKeysetRef } from '../ports/manifest-keys.ts';
import type { Tables } from '../tables.ts';
import { toManifestKey } from './manifest-key-rows.ts';

type JoinedRow = ManifestKeysetRow & {
  [Column in keyof Omit<ManifestKeyRow, 'tenant' | 'keyset'>]: ManifestKeyRow[Column] | null;
};

/** The metadata with all keys, in one statement. Fails where they do not fit together: nothing is signed or published on a guess. */
export async function readKeyset(kysely: Kysely<Tables>, ref: ManifestKeysetRef): Promise<ManifestKeyset> {
  const rows = await selectKeyset(kysely, ref).execute();
  const [metadata] = rows;
  if (metadata === undefined) throw noSuchKeyset();
  const keyset = toKeyset(metadata, readKeys(rows));
  if (keyset.etag !== etagOf(keyset)) {
    throw new DbError('invalid', 'manifest_keysets.etag was not made of the keys that are in manifest_keys');
  }
  return keyset;
}

/** Makes the metadata anew after a change of its keys; `activeKid` undefined leaves the key that signs as it is, null takes it away. */
export async function renewKeyset(
  kysely: Kysely<Tables>,
  ref: ManifestKeysetRef,
  at: number,
  activeKid?: string | null,
): Promise<ManifestKeyset> {
  const rows = await selectKeyset(kysely, ref).execute();
  const [metadata] = rows;
  if (metadata === undefined) throw noSuchKeyset();
  const active_kid = activeKid === undefined ? metadata.active_kid : activeKid;
  const keyset = toKeyset({ ...metadata, active_kid, generated_at: at }, readKeys(rows));
  const etag = etagOf(keyset);
  const { numUpdatedRows } = await kysely
    .updateTable('manifest_keysets')
    .set({ active_kid, etag, generated_at: at })
    .where('tenant', '=', ref.tenant)
    .where('keyset', '=', ref.keyset)
    .where('etag', '=', metadata.etag)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new DbError('stale', 'manifest_keysets.etag has changed');
  return { ...keyset, etag };
}

export async function requireKeysetRow(kysely: Kysely<Tables>, ref: ManifestKeysetRef): Promise<ManifestKeysetRow> {
  const row = await kysely
    .selectFrom('manifest_keysets')
    .selectAll()
    .where('tenant', '=', ref.tenant)
    .where('keyset', '=', ref.keyset)
    .executeTakeFirst();
  if (row === undefined) throw noSuchKeyset();
  return row;
}

function noSuchKeyset(): DbError {
  return new DbError('not_found', 'no such keyset in that tenant');
}

function selectKeyset(kysely: Kysely<Tables>, { tenant, keyset }: ManifestKeysetRef) {
  return kysely
    .selectFrom('manifest_keysets as s')
    .leftJoin('manifest_keys as k', (join) =>
      join.onRef('k.tenant', '=', 's.tenant').onRef('k.keyset', '=', 's.keyset'),
    )
    .selectAll('s')
    .select(['k.kid', 'k.algorithm', 'k.public_jwk', 'k.kek_id', 'k.envelope'])
    .select(['k.status', 'k.created_at', 'k.retired_at', 'k.revoked_at'])
    .where('s.tenant', '=', tenant)
    .where('s.keyset', '=', keyset)
    .orderBy('k.created_at', 'desc')
    .orderBy('k.kid', 'desc')
    .$castTo<JoinedRow>();
}

function readKeys(rows: readonly JoinedRow[]): readonly ManifestKeyRecord[] {
  const keys = rows.filter((row) => row.kid !== null);
  if (keys.length === 0) throw new DbError('invalid', 'manifest_keysets names a keyset without manifest_keys');
  return keys.map((row) => toManifestKey(row as ManifestKeyRow));
}

function toKeyset(row: ManifestKeysetRow, keys: readonly ManifestKeyRecord[]): ManifestKeyset {
  const signing = keys.find(({ kid }) => kid === row.active_kid);
  if (row.active_kid !== null && signing?.status !== 'active') {
    throw new DbError('invalid', 'manifest_keysets.active_kid names no key that is active');
  }
  return {
    tenant: row.tenant,
    keyset: row.keyset,
    ...(row.active_kid === null ? {} : { activeKid: row.active_kid }),
    etag: row.etag,
    generatedAt: row.generated_at,
    maxAgeSeconds: row.max_age_seconds,
    keys,
  };
}

/** Of all that a verifier goes by, in a fixed order: engines give members and rows back in their own. */
function etagOf({ activeKid, keys, maxAgeSeconds }: ManifestKeyset): string {
  const parts = keys
    .map(({ kid, algorithm, status, publicJwk }) => [kid, algorithm, status, Object.entries(publicJwk).sort(byName)])
    .sort(byName);
  return `W/"${hash('sha256', JSON.stringify([activeKid ?? null, maxAgeSeconds, parts]), 'base64url')}"`;
}

function byName([one]: readonly unknown[], [other]: readonly unknown[]): number {
  return String(one) < String(other) ? -1 : 1;
}
