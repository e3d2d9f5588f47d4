import { type Kysely, sql } from 'kysely';
import { requireOneOf, requireText, withReference } from '../check.ts';
import { requireOptionalText, requirePlainText, requireUnique, toEmail } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { AdminIdentityRow } from '../identity-tables.ts';
import { toJsonColumn } from '../json-column.ts';
import { newestFirst } from '../newest-first.ts';
import { timePosition, toPage } from '../page.ts';
import {
  ADMIN_IDENTITY_STATUSES,
  type AdminAuthPort,
  type AdminIdentityRecord,
  type AdminIdentityStatus,
  type AdminRoleBinding,
  type NewAdminIdentity,
} from '../ports/admin-auth.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, listsOf, pointsOf } from '../transaction.ts';
import { joinBindings, readIdentities, requireBinding } from './admin-identity-rows.ts';
import type { RepositoryOptions } from './repository-options.ts';

type IdentitiesPort = Pick<
  AdminAuthPort,
  | 'listAdminIdentities'
  | 'getAdminIdentityById'
  | 'findAdminIdentityByIssuerSubject'
  | 'createAdminIdentity'
  | 'updateAdminIdentityStatus'
  | 'updateAdminIdentityBindings'
  | 'upsertAdminRoleBindings'
>;

const LIST = 'admin_identities';
const [NAME_LENGTH_MAX, ISSUER_LENGTH_MAX, SUBJECT_LENGTH_MAX] = [200, 2_048, 255];

/** Nobody goes back to `pending`: who was admitted once is active or disabled. */
const NEXT: Record<AdminIdentityStatus, readonly AdminIdentityStatus[]> = {
  pending: ['active', 'disabled'],
  active: ['disabled'],
  disabled: ['active'],
};

export function createAdminIdentities(dbClient: DbClient, options: RepositoryOptions): IdentitiesPort {
  return { ...createReads(dbClient), ...createWrites(dbClient, options) };
}

type Reads = 'listAdminIdentities' | 'getAdminIdentityById' | 'findAdminIdentityByIssuerSubject';

function createReads(dbClient: DbClient): Pick<IdentitiesPort, Reads> {
  return {
    async listAdminIdentities({ status, tenant }, page, context) {
      if (status !== undefined) requireOneOf('admin_identities.status', status, ADMIN_IDENTITY_STATUSES);
      const kysely = listsOf(dbClient, context, INSTANCE_SCOPE);
      let query = kysely.selectFrom('admin_identities').selectAll('admin_identities');
      if (status !== undefined) query = query.where('status', '=', status);
      if (tenant !== undefined) {
        query = query.where(({ exists, selectFrom }) =>
          exists(
            selectFrom('admin_role_bindings')
              .select('identity_id')
              .where('admin_role_bindings.tenant', '=', tenant)
              .whereRef('admin_role_bindings.identity_id', '=', 'admin_identities.id'),
          ),
        );
      }
      // One statement: no page shows somebody with the roles of another time.
      const rows = await joinBindings(kysely, newestFirst(query, LIST, page)).execute();
      return toPage(readIdentities(rows), page.limit, LIST, {
        item: (identity) => identity,
        position: (identity) => timePosition({ created_at: identity.createdAt, id: identity.id }),
      });
    },

    getAdminIdentityById: (id, context) => readIdentity(pointsOf(dbClient, context, INSTANCE_SCOPE), id),

    async findAdminIdentityByIssuerSubject(issuer, subject, context) {
      const kysely = pointsOf(dbClient, context, INSTANCE_SCOPE);
      const found = selectIdentities(kysely).where('issuer', '=', issuer).where('subject', '=', subject);
      return readIdentities(await joinBindings(kysely, found).execute())[0];
    },
  };
}

function createWrites(dbClient: DbClient, { now, newId }: RepositoryOptions): Omit<IdentitiesPort, Reads> {
  return {
    createAdminIdentity: (identity, context) =>
      inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        const row = toRow(identity, newId(), now());
        await kysely.insertInto('admin_identities').values(row).execute();
        await writeBindings(kysely, row.id, identity.bindings ?? []);
        return requireIdentity(kysely, row.id);
      }),

    async updateAdminIdentityStatus(id, { from, to }, context) {
      requireOneOf('admin_identities.status', from, ADMIN_IDENTITY_STATUSES);
      requireOneOf('admin_identities.status', to, ADMIN_IDENTITY_STATUSES);
      if (!NEXT[from].includes(to))
        throw new DbError('invalid', `admin_identities.status: ${from} does not lead to ${to}`);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        const { numUpdatedRows } = await touched(kysely, id, now())
          .set({ status: to })
          .where('status', '=', from)
          .executeTakeFirst();
        const identity = await requireIdentity(kysely, id);
        if (numUpdatedRows !== 1n) throw new DbError('stale', `admin_identities.status is ${identity.status}`);
        return identity;
      });
    },

    updateAdminIdentityBindings: (id, { bindings, ifVersion }, context) =>
      inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        await touch(kysely, id, now(), ifVersion);
        await kysely.deleteFrom('admin_role_bindings').where('identity_id', '=', id).execute();
        await writeBindings(kysely, id, bindings);
        return requireIdentity(kysely, id);
      }),

    upsertAdminRoleBindings: (id, bindings, context) =>
      inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        await touch(kysely, id, now(), undefined);
        await writeBindings(kysely, id, bindings);
        return requireIdentity(kysely, id);
      }),
  };
}

function selectIdentities(kysely: Kysely<Tables>) {
  return kysely.selectFrom('admin_identities').selectAll();
}

async function readIdentity(kysely: Kysely<Tables>, id: string): Promise<AdminIdentityRecord | undefined> {
  return readIdentities(await joinBindings(kysely, selectIdentities(kysely).where('id', '=', id)).execute())[0];
}

async function requireIdentity(kysely: Kysely<Tables>, id: string): Promise<AdminIdentityRecord> {
  const identity = await readIdentity(kysely, id);
  if (identity === undefined) throw new DbError('not_found', 'no such identity');
  return identity;
}

function touched(kysely: Kysely<Tables>, id: string, at: number) {
  return kysely
    .updateTable('admin_identities')
    .set({ version: sql<number>`version + 1`, updated_at: at })
    .where('id', '=', id);
}

async function touch(kysely: Kysely<Tables>, id: string, at: number, ifVersion: number | undefined): Promise<void> {
  let query = touched(kysely, id, at);
  if (ifVersion !== undefined) query = query.where('version', '=', ifVersion);
  const { numUpdatedRows } = await query.executeTakeFirst();
  if (numUpdatedRows === 1n) return;
  await requireIdentity(kysely, id);
  throw new DbError('stale', 'admin_identities.version has changed');
}

async function writeBindings(kysely: Kysely<Tables>, id: string, bindings: readonly AdminRoleBinding[]): Promise<void> {
  requireUnique(
    'admin_role_bindings.tenant',
    bindings.map(({ tenant }) => tenant),
  );
  for (const binding of bindings) {
    requireBinding(binding);
    const { tenant, role } = binding;
    const groups = toJsonColumn([...new Set(binding.groups)]);
    const writing = kysely
      .insertInto('admin_role_bindings')
      .values({ identity_id: id, tenant, role, groups })
      .onConflict((conflict) => conflict.columns(['identity_id', 'tenant']).doUpdateSet({ role, groups }))
      .execute();
    await withReference('admin_role_bindings.tenant', writing);
  }
}

function toRow(identity: NewAdminIdentity, id: string, at: number): AdminIdentityRow {
  const { issuer, subject, email, isEmailVerified, name, status } = identity;
  requireText('admin_identities.issuer', issuer);
  requirePlainText('admin_identities.issuer', issuer, ISSUER_LENGTH_MAX);
  requirePlainText('admin_identities.subject', subject, SUBJECT_LENGTH_MAX);
  requireOptionalText('admin_identities.name', name, NAME_LENGTH_MAX);
  requireOneOf('admin_identities.status', status, ADMIN_IDENTITY_STATUSES);
  return {
    id,
    issuer,
    subject,
    email: toEmail('admin_identities.email', email),
    is_email_verified: isEmailVerified ? 1 : 0,
    name: name ?? null,
    status,
    version: 1,
    created_at: at,
    updated_at: at,
  };
}
