import type { AdminRole } from './admins.ts';
import type { DbContext, Page, PageRequest } from './context.ts';

/** A person of one tenant, known by e-mail address. */
export interface UserRecord {
  readonly tenant: string;
  readonly id: string;
  /** Lower-case; unique in the tenant. */
  readonly email: string;
  readonly name?: string;
  /** The identity (`AdminAuthPort`) that this person logs in with. */
  readonly identityId?: string;
  readonly roles: readonly AdminRole[];
  /** Counts changes from 1; the ETag of the control plane. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type NewUser = Pick<UserRecord, 'email' | 'name' | 'identityId' | 'roles'>;

export interface UsersPort {
  /** Fails `conflict` when the tenant has a user of that address (in any case), `not_found` without the tenant or the identity. */
  create(tenant: string, user: NewUser, context?: DbContext): Promise<UserRecord>;
  getById(tenant: string, id: string, context?: DbContext): Promise<UserRecord | undefined>;
  /** Newest first, by time then id. */
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<UserRecord>>;
  /** Replaces the roles in one conditional update; `ifVersion` given: `stale` when it has changed. Fails `not_found`. */
  updateRoles(
    tenant: string,
    id: string,
    change: { readonly roles: readonly AdminRole[]; readonly ifVersion?: number },
    context?: DbContext,
  ): Promise<UserRecord>;
}
