import type { Kysely } from 'kysely';
import { requireOrigin, requireText, withReference } from '../check.ts';
import type { DbClient, TransactionScope } from '../client.ts';
import type { Origin } from '../ports/context.ts';
import { DbError } from '../ports/db-error.ts';
import type { SecretEnvelopeVersion, SecretsPort } from '../ports/secrets.ts';
import type { SecretRow, SecretVersionRow, Tables } from '../tables.ts';
import { pointsOf, requireScope } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { noSuchSecret, toEnvironments, toSecretRecord } from './secrets.ts';

type SecretVersionsPort = Omit<SecretsPort, 'getByName' | 'listByTenant' | 'updateSecret' | 'remove'>;

export function createSecretVersions(dbClient: DbClient, options: RepositoryOptions): SecretVersionsPort {
  return { ...createVersionReads(dbClient), ...createVersionWrites(dbClient, options) };
}

type VersionReads = Pick<
  SecretsPort,
  'getActiveSecretEnvelope' | 'getSecretEnvelopeVersion' | 'listSecretEnvelopeVersions' | 'nextVersion'
>;

function createVersionReads(dbClient: DbClient): VersionReads {
  return {
    async nextVersion(tenant, name, context) {
      return readNextVersion(requireScope(dbClient, context, 'nextVersion'), tenant, name);
    },

    async getActiveSecretEnvelope(tenant, name, context) {
      const row = await selectVersions(pointsOf(dbClient, context, tenant), tenant, name)
        .innerJoin('secrets', (join) =>
          join
            .onRef('secrets.tenant', '=', 'secret_versions.tenant')
            .onRef('secrets.name', '=', 'secret_versions.name')
            .onRef('secrets.active_version', '=', 'secret_versions.version'),
        )
        .executeTakeFirst();
      return row && toVersion(row);
    },

    async getSecretEnvelopeVersion(tenant, name, version, context) {
      const row = await selectVersions(pointsOf(dbClient, context, tenant), tenant, name)
        .where('secret_versions.version', '=', version)
        .executeTakeFirst();
      return row && toVersion(row);
    },

    async listSecretEnvelopeVersions(tenant, name, context) {
      const rows = await pointsOf(dbClient, context, tenant)
        .selectFrom('secret_versions')
        .select(['version', 'kek_id', 'created_at', 'rotated_from'])
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .orderBy('version', 'desc')
        .execute();
      return rows.map((row) => ({
        tenant,
        name,
        version: row.version,
        kekId: row.kek_id,
        createdAt: row.created_at,
        ...rotation(row),
      }));
    },
  };
}

type VersionWrites = Pick<
  SecretsPort,
  'createSecretEnvelopeVersion' | 'setActiveSecretEnvelopeVersion' | 'replaceEnvelope' | 'removeRotatedVersions'
>;

function createVersionWrites(dbClient: DbClient, { now, newId }: RepositoryOptions): VersionWrites {
  return {
    async createSecretEnvelopeVersion(version, { environments, origin }, context) {
      const scope = requireScope(dbClient, context, 'createSecretEnvelopeVersion');
      requireVersion(version);
      requireOrigin('secrets.origin', origin);
      const { tenant, name } = version;
      if ((await readNextVersion(scope, tenant, name)) !== version.version) {
        throw new DbError('stale', 'secret_versions.version is not the next one');
      }
      const secret = await writeActiveVersion(scope, version, {
        environments: toEnvironments(environments),
        origin,
        id: newId(),
        at: now(),
      });
      return toSecretRecord(secret);
    },

    async setActiveSecretEnvelopeVersion(tenant, name, version, context) {
      const kysely = requireScope(dbClient, context, 'setActiveSecretEnvelopeVersion').kysely(tenant);
      const row = await kysely
        .updateTable('secrets')
        .set({ active_version: version, updated_at: now() })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .where((expression) => expression.exists(selectVersions(kysely, tenant, name).where('version', '=', version)))
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw noSuchSecret();
      return toSecretRecord(row);
    },

    async replaceEnvelope(version, oldKekId, context) {
      requireVersion(version);
      const result = await requireScope(dbClient, context, 'replaceEnvelope')
        .kysely(version.tenant)
        .updateTable('secret_versions')
        .set({ envelope: version.envelope, kek_id: version.kekId })
        .where('tenant', '=', version.tenant)
        .where('name', '=', version.name)
        .where('version', '=', version.version)
        .where('kek_id', '=', oldKekId)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    async removeRotatedVersions(tenant, name, version, context) {
      const kysely = requireScope(dbClient, context, 'removeRotatedVersions').kysely(tenant);
      await kysely
        .deleteFrom('secret_versions')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .where('rotated_from', 'is not', null)
        .where('version', '<', version)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('secrets')
                .select('secrets.name')
                .where('secrets.tenant', '=', tenant)
                .where('secrets.name', '=', name)
                .whereRef('secrets.active_version', '=', 'secret_versions.version'),
            ),
          ),
        )
        .execute();
    },
  };
}

/** The secret's own row first: its version refers to it. */
async function writeActiveVersion(
  scope: TransactionScope,
  { tenant, name, version, kekId, envelope, rotatedFrom }: Omit<SecretEnvelopeVersion, 'createdAt'>,
  { environments, origin, id, at }: { environments: string | null; origin: Origin; id: string; at: number },
): Promise<SecretRow> {
  const kysely = scope.kysely(tenant);
  const changed = { environments, active_version: version, origin, updated_at: at };
  const writing = kysely
    .insertInto('secrets')
    .values({ tenant, id, name, created_at: at, ...changed })
    .onConflict((conflict) => conflict.columns(['tenant', 'name']).doUpdateSet(changed))
    .returningAll()
    .executeTakeFirstOrThrow();
  const secret = await withReference('secrets.tenant', writing);
  const rotated_from = rotatedFrom ?? null;
  const row = { tenant, name, version, kek_id: kekId, envelope, created_at: at, rotated_from };
  await kysely.insertInto('secret_versions').values(row).execute();
  return secret;
}

async function readNextVersion({ kysely }: TransactionScope, tenant: string, name: string): Promise<number> {
  const row = await kysely(tenant)
    .selectFrom('secret_versions')
    .select((expression) => expression.fn.max('version').as('newest'))
    .where('tenant', '=', tenant)
    .where('name', '=', name)
    .executeTakeFirst();
  return Number(row?.newest ?? 0) + 1;
}

function selectVersions(kysely: Kysely<Tables>, tenant: string, name: string) {
  return kysely
    .selectFrom('secret_versions')
    .selectAll('secret_versions')
    .where('secret_versions.tenant', '=', tenant)
    .where('secret_versions.name', '=', name);
}

function requireVersion(version: Omit<SecretEnvelopeVersion, 'createdAt'>): void {
  requireText('secrets.tenant', version.tenant);
  requireText('secrets.name', version.name);
  requireText('secret_versions.kek_id', version.kekId);
  requireText('secret_versions.envelope', version.envelope);
}

function toVersion(row: SecretVersionRow): SecretEnvelopeVersion {
  return {
    tenant: row.tenant,
    name: row.name,
    version: row.version,
    kekId: row.kek_id,
    envelope: row.envelope,
    createdAt: row.created_at,
    ...rotation(row),
  };
}

function rotation(row: Pick<SecretVersionRow, 'rotated_from'>): Pick<SecretEnvelopeVersion, 'rotatedFrom'> {
  return row.rotated_from === null ? {} : { rotatedFrom: row.rotated_from };
}
