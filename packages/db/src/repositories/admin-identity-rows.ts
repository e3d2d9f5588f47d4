import type { Kysely, SelectQueryBuilder } from 'kysely';
import { requireOneOf, requireText } from '../check.ts';
import type { AdminIdentityRow } from '../identity-tables.ts';
import { fromJsonColumn, namesParser } from '../json-column.ts';
import { ADMIN_IDENTITY_STATUSES, type AdminIdentityRecord, type AdminRoleBinding } from '../ports/admin-auth.ts';
import { ADMIN_ROLES, type AdminRole } from '../ports/admins.ts';
import { DbError } from '../ports/db-error.ts';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import { impossibleRow, storedOneOf, storedValue } from '../stored.ts';
import type { JsonColumn, Tables } from '../tables.ts';

/** An identity with one of its bindings; without any, those columns are null. */
export interface IdentityWithBindingRow extends AdminIdentityRow {
  binding_tenant: string | null;
  binding_role: AdminRole | null;
  binding_groups: JsonColumn;
}

/** Newest first, and for each identity by tenant. */
export function joinBindings(
  kysely: Kysely<Tables>,
  identities: SelectQueryBuilder<Tables, 'admin_identities', AdminIdentityRow>,
) {
  return kysely
    .selectFrom(identities.as('i'))
    .leftJoin('admin_role_bindings as b', 'b.identity_id', 'i.id')
    .selectAll('i')
    .select(['b.tenant as binding_tenant', 'b.role as binding_role', 'b.groups as binding_groups'])
    .orderBy('i.created_at', 'desc')
    .orderBy('i.id', 'desc')
    .orderBy('b.tenant')
    .$castTo<IdentityWithBindingRow>();
}

/** Each identity once, in the order of its rows. */
export function readIdentities(rows: readonly IdentityWithBindingRow[]): readonly AdminIdentityRecord[] {
  return [...Map.groupBy(rows, ({ id }) => id).values()].map(toIdentityRecord);
}

function toIdentityRecord(rows: readonly IdentityWithBindingRow[]): AdminIdentityRecord {
  const row = rows[0] as IdentityWithBindingRow;
  return {
    id: row.id,
    issuer: row.issuer,
    subject: row.subject,
    email: row.email,
    isEmailVerified: row.is_email_verified === 1,
    ...(row.name === null ? {} : { name: row.name }),
    status: storedOneOf('admin_identities.status', row.status, ADMIN_IDENTITY_STATUSES),
    bindings: rows.filter((each) => each.binding_tenant !== null).map(toBinding),
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toBinding({ binding_tenant, binding_role, binding_groups }: IdentityWithBindingRow): AdminRoleBinding {
  const tenant = storedValue('admin_role_bindings.tenant', binding_tenant, 'bound');
  const role = storedOneOf(
    'admin_role_bindings.role',
    storedValue('admin_role_bindings.role', binding_role, 'bound'),
    ADMIN_ROLES,
  );
  if (tenant === GLOBAL_TENANT && role !== 'owner') {
    throw impossibleRow('admin_role_bindings.role', 'is no owner where the tenant is the whole instance');
  }
  return { tenant, role, groups: fromJsonColumn('admin_role_bindings.groups', binding_groups, namesParser) };
}

/** Every role but the owner's is held in one tenant. */
export function requireBinding({ tenant, role, groups }: AdminRoleBinding): void {
  requireText('admin_role_bindings.tenant', tenant);
  requireOneOf('admin_role_bindings.role', role, ADMIN_ROLES);
  if (tenant === GLOBAL_TENANT && role !== 'owner') {
    throw new DbError('invalid', 'admin_role_bindings.role of the whole instance must be owner');
  }
  for (const group of groups) requireText('admin_role_bindings.groups', group);
}
