import type { Kysely } from 'kysely';
import { requireCount, requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import type { AuditSaltRow } from '../key-tables.ts';
import type { AuditSaltRecord, AuditSaltsPort } from '../ports/audit-salts.ts';
import { DbError } from '../ports/db-error.ts';
import { storedNothing, storedValue } from '../stored.ts';
import type { Tables } from '../tables.ts';
import { pointsOf, requireScope } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

export function createAuditSalts(dbClient: DbClient, options: RepositoryOptions): AuditSaltsPort {
  return { ...createReads(dbClient), ...createWrites(dbClient, options) };
}

type Reads = 'getActiveAuditSalt' | 'getAuditSalt' | 'listAuditSalts';

function createReads(dbClient: DbClient): Pick<AuditSaltsPort, Reads> {
  return {
    async getActiveAuditSalt(tenant, context) {
      const salts = selectSalts(pointsOf(dbClient, context, tenant), tenant);
      const row = await salts.orderBy('version', 'desc').limit(1).executeTakeFirst();
      return row && toSalt(row);
    },

    async getAuditSalt(tenant, version, context) {
      const salts = selectSalts(pointsOf(dbClient, context, tenant), tenant);
      const row = await salts.where('version', '=', version).executeTakeFirst();
      return row && toSalt(row);
    },

    async listAuditSalts(tenant, context) {
      const salts = selectSalts(pointsOf(dbClient, context, tenant), tenant);
      return (await salts.orderBy('version', 'desc').execute()).map(toSalt);
    },
  };
}

function createWrites(dbClient: DbClient, { now }: RepositoryOptions): Omit<AuditSaltsPort, Reads> {
  return {
    async nextVersion(tenant, context) {
      return readNextVersion(requireScope(dbClient, context, 'nextVersion of a salt').kysely(tenant), tenant);
    },

    async createAuditSalt({ tenant, version, kekId, envelope }, context) {
      const kysely = requireScope(dbClient, context, 'createAuditSalt').kysely(tenant);
      requireText('audit_salts.tenant', tenant);
      requireText('audit_salts.kek_id', kekId);
      requireText('audit_salts.envelope', envelope);
      if ((await readNextVersion(kysely, tenant)) !== version) {
        throw new DbError('stale', 'audit_salts.version is not the next one');
      }
      const row: AuditSaltRow = { tenant, version, kek_id: kekId, envelope, created_at: now(), erased_at: null };
      await withReference('audit_salts.tenant', kysely.insertInto('audit_salts').values(row).execute());
      return toSalt(row);
    },

    async eraseAuditSalt(tenant, version, at, context) {
      requireCount('audit_salts.erased_at', at);
      const { numUpdatedRows } = await requireScope(dbClient, context, 'eraseAuditSalt')
        .kysely(tenant)
        .updateTable('audit_salts')
        .set({ kek_id: null, envelope: null, erased_at: at })
        .where('tenant', '=', tenant)
        .where('version', '=', version)
        .where('erased_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async replaceEnvelope({ tenant, version, kekId, envelope }, oldKekId, context) {
      requireText('audit_salts.kek_id', kekId);
      requireText('audit_salts.envelope', envelope);
      const { numUpdatedRows } = await requireScope(dbClient, context, 'replaceEnvelope')
        .kysely(tenant)
        .updateTable('audit_salts')
        .set({ kek_id: kekId, envelope })
        .where('tenant', '=', tenant)
        .where('version', '=', version)
        .where('kek_id', '=', oldKekId)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}

function selectSalts(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('audit_salts').selectAll().where('tenant', '=', tenant);
}

async function readNextVersion(kysely: Kysely<Tables>, tenant: string): Promise<number> {
  const newest = await selectSalts(kysely, tenant).orderBy('version', 'desc').limit(1).executeTakeFirst();
  return (newest?.version ?? 0) + 1;
}

export function toSalt(row: AuditSaltRow): AuditSaltRecord {
  const salt = { tenant: row.tenant, version: row.version, createdAt: row.created_at };
  if (row.erased_at !== null) {
    storedNothing('audit_salts.kek_id', row.kek_id, 'erased');
    storedNothing('audit_salts.envelope', row.envelope, 'erased');
    return { ...salt, state: 'erased', erasedAt: row.erased_at };
  }
  return {
    ...salt,
    state: 'kept',
    kekId: storedValue('audit_salts.kek_id', row.kek_id, 'kept'),
    envelope: storedValue('audit_salts.envelope', row.envelope, 'kept'),
  };
}
