import type { Kysely } from 'kysely';
import { requireOneOf, requireText } from '../check.ts';
import { requireIntegerBetween, requirePlainText, toBoundedJson } from '../check-value.ts';
import { fromJsonColumn, guardParser } from '../json-column.ts';
import type { ManifestKeyRow } from '../key-tables.ts';
import { DbError } from '../ports/db-error.ts';
import {
  MANIFEST_ALGORITHMS,
  MANIFEST_KEY_STATUSES,
  type ManifestKeyRecord,
  type ManifestKeysetRef,
  type NewManifestKey,
  type PublicJwk,
} from '../ports/manifest-keys.ts';
import { storedNothing, storedOneOf, storedValue } from '../stored.ts';
import type { Tables } from '../tables.ts';

const NAME_LENGTH_MAX = 200;
const JWK_BYTES_MAX = 2_048;
/** Members of private keys, RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export function selectManifestKeys(kysely: Kysely<Tables>, { tenant, keyset }: ManifestKeysetRef) {
  return kysely
    .selectFrom('manifest_keys')
    .selectAll('manifest_keys')
    .where('manifest_keys.tenant', '=', tenant)
    .where('manifest_keys.keyset', '=', keyset);
}

export function requireManifestKey(key: NewManifestKey): void {
  requireText('manifest_keys.tenant', key.tenant);
  requirePlainText('manifest_keys.keyset', key.keyset, NAME_LENGTH_MAX);
  requirePlainText('manifest_keys.kid', key.kid, NAME_LENGTH_MAX);
  requireOneOf('manifest_keys.algorithm', key.algorithm, MANIFEST_ALGORITHMS);
  requireText('manifest_keys.kek_id', key.kekId);
  requireText('manifest_keys.envelope', key.envelope);
  if (!isPublicJwk(key.publicJwk)) {
    throw new DbError(
      'invalid',
      'manifest_keys.public_jwk must be the public half of a key, and nothing of the private one',
    );
  }
  if (key.maxAgeSeconds !== undefined) {
    requireIntegerBetween('manifest_keysets.max_age_seconds', key.maxAgeSeconds, 30, 300);
  }
}

export function toManifestKeyRow(key: NewManifestKey, at: number): ManifestKeyRow {
  return {
    tenant: key.tenant,
    keyset: key.keyset,
    kid: key.kid,
    algorithm: key.algorithm,
    public_jwk: toBoundedJson('manifest_keys.public_jwk', key.publicJwk, JWK_BYTES_MAX),
    kek_id: key.kekId,
    envelope: key.envelope,
    status: 'active',
    created_at: at,
    retired_at: null,
    revoked_at: null,
  };
}

function isPublicJwk(value: unknown): value is PublicJwk {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const members = Object.entries(value);
  const hasKeyType = members.some(([name]) => name === 'kty');
  return hasKeyType && members.every(([name, text]) => typeof text === 'string' && !PRIVATE_MEMBERS.includes(name));
}

const jwkParser = guardParser(isPublicJwk);

export function toManifestKey(row: ManifestKeyRow): ManifestKeyRecord {
  const status = storedOneOf('manifest_keys.status', row.status, MANIFEST_KEY_STATUSES);
  const key = {
    tenant: row.tenant,
    keyset: row.keyset,
    kid: row.kid,
    algorithm: storedOneOf('manifest_keys.algorithm', row.algorithm, MANIFEST_ALGORITHMS),
    publicJwk: fromJsonColumn('manifest_keys.public_jwk', row.public_jwk, jwkParser),
    createdAt: row.created_at,
  };
  if (status === 'active') {
    storedNothing('manifest_keys.retired_at', row.retired_at, status);
    storedNothing('manifest_keys.revoked_at', row.revoked_at, status);
    storedValue('manifest_keys.kek_id', row.kek_id, status);
    storedValue('manifest_keys.envelope', row.envelope, status);
    return { ...key, status };
  }
  storedNothing('manifest_keys.kek_id', row.kek_id, status);
  storedNothing('manifest_keys.envelope', row.envelope, status);
  const retiredAt = storedValue('manifest_keys.retired_at', row.retired_at, status);
  if (status === 'retired') {
    storedNothing('manifest_keys.revoked_at', row.revoked_at, status);
    return { ...key, status, retiredAt };
  }
  return { ...key, status, retiredAt, revokedAt: storedValue('manifest_keys.revoked_at', row.revoked_at, status) };
}
