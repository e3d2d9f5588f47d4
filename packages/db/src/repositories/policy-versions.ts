import { hash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import type {
  PolicyVersionRecord,
  PolicyVersionRef,
  PolicyVersionSummary,
  PolicyVersionsPort,
} from '../ports/policy-versions.ts';
import type { PolicyVersionRow, Tables } from '../tables.ts';
import { listsOf, pointsOf, requireScope } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'policy_versions';
const SUMMARY = [
  'tenant',
  'id',
  'number',
  'status',
  'content_hash',
  'policy_version',
  'note',
  'base',
  'created_by',
  'created_at',
  'activated_at',
] as const;

type SummaryRow = Pick<PolicyVersionRow, (typeof SUMMARY)[number]>;

export function createPolicyVersions(dbClient: DbClient, { now, newId }: RepositoryOptions): PolicyVersionsPort {
  return {
    ...readCalls(dbClient),

    async createPolicyVersion({ tenant, document, createdBy, note }, context) {
      requireText('policy_versions.tenant', tenant);
      requireText('policy_versions.document', document);
      requireText('policy_versions.created_by', createdBy);
      const kysely = requireScope(dbClient, context, 'making a policy version').kysely(tenant);
      const active = await selectRef(kysely, tenant, 'active').select('number').executeTakeFirst();
      const row: PolicyVersionRow = {
        tenant,
        id: newId(),
        number: (await greatest(kysely, tenant, 'number')) + 1,
        status: 'draft',
        document,
        content_hash: hash('sha256', document, 'hex'),
        policy_version: null,
        note: note ?? null,
        base: active?.number ?? null,
        created_by: createdBy,
        created_at: now(),
        activated_at: null,
        activation: null,
      };
      await withReference('policy_versions.tenant', kysely.insertInto('policy_versions').values(row).execute());
      return toRecord(row);
    },

    async activatePolicyVersion(tenant, id, { ifActive, policyVersion }, context) {
      const kysely = requireScope(dbClient, context, 'activating a policy version').kysely(tenant);
      const superseded = await kysely
        .updateTable('policy_versions')
        .set({ status: 'superseded' })
        .where('tenant', '=', tenant)
        .where('status', '=', 'active')
        .returning('id')
        .execute();
      if (superseded[0]?.id !== ifActive || id === ifActive) {
        throw new DbError('stale', 'policy_versions.status: another version is active');
      }
      const row = await kysely
        .updateTable('policy_versions')
        .set({
          status: 'active',
          policy_version: policyVersion ?? null,
          activated_at: now(),
          activation: (await greatest(kysely, tenant, 'activation')) + 1,
        })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('status', 'in', ['draft', 'superseded'])
        .returning(SUMMARY)
        .executeTakeFirst();
      if (row === undefined) throw new DbError('not_found', 'no such policy version in that tenant');
      return toSummary(row);
    },

    async setActivePolicyVersion(tenant, policyVersion, context) {
      const kysely = requireScope(dbClient, context, 'changing a policy version').kysely(tenant);
      const result = await kysely
        .updateTable('policy_versions')
        .set({ policy_version: policyVersion ?? null })
        .where('tenant', '=', tenant)
        .where('status', '=', 'active')
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
  };
}

type Reads = 'getPolicyVersion' | 'getPolicyVersionSummary' | 'listByTenant';

function readCalls(dbClient: DbClient): Pick<PolicyVersionsPort, Reads> {
  return {
    async getPolicyVersion(tenant, ref, context) {
      const row = await selectRef(pointsOf(dbClient, context, tenant), tenant, ref)
        .selectAll()
        .executeTakeFirst();
      return row && toRecord(row);
    },

    async getPolicyVersionSummary(tenant, ref, context) {
      const row = await selectRef(pointsOf(dbClient, context, tenant), tenant, ref)
        .select(SUMMARY)
        .executeTakeFirst();
      return row && toSummary(row);
    },

    async listByTenant(tenant, page, context) {
      const before = decodeNumberCursor(LIST, page.cursor);
      let query = listsOf(dbClient, context, tenant)
        .selectFrom('policy_versions')
        .select(SUMMARY)
        .where('tenant', '=', tenant);
      if (before !== undefined) query = query.where('number', '<', before);
      const rows = await query.orderBy('number', 'desc').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toSummary, position: (row) => row.number });
    },
  };
}

function selectRef(kysely: Kysely<Tables>, tenant: string, ref: PolicyVersionRef) {
  const versions = kysely.selectFrom('policy_versions').where('tenant', '=', tenant);
  if (ref === 'active') return versions.where('status', '=', 'active');
  if (ref === 'previous') return versions.where('status', '=', 'superseded').orderBy('activation', 'desc').limit(1);
  return 'id' in ref ? versions.where('id', '=', ref.id) : versions.where('number', '=', ref.number);
}

/** 0 when there is none. Read in the transaction that writes the next. */
async function greatest(kysely: Kysely<Tables>, tenant: string, column: 'number' | 'activation'): Promise<number> {
  const row = await kysely
    .selectFrom('policy_versions')
    .select((expression) => expression.fn.max(column).as('greatest'))
    .where('tenant', '=', tenant)
    .executeTakeFirst();
  return Number(row?.greatest ?? 0);
}

function toRecord(row: PolicyVersionRow): PolicyVersionRecord {
  // What was changed behind the store's back is not the version that its hash names.
  if (hash('sha256', row.document, 'hex') !== row.content_hash) {
    throw new DbError('invalid', 'policy_versions.document is not what policy_versions.content_hash is of');
  }
  return { ...toSummary(row), document: row.document };
}

function toSummary(row: SummaryRow): PolicyVersionSummary {
  return {
    tenant: row.tenant,
    id: row.id,
    number: row.number,
    status: row.status,
    contentHash: row.content_hash,
    ...(row.policy_version === null ? {} : { policyVersion: row.policy_version }),
    ...(row.note === null ? {} : { note: row.note }),
    ...(row.base === null ? {} : { base: row.base }),
    createdBy: row.created_by,
    createdAt: row.created_at,
    ...(row.activated_at === null ? {} : { activatedAt: row.activated_at }),
  };
}
