import type { AdminRole } from './admins.ts';
import type { DbContext, Page, PageRequest } from './context.ts';

/** Who may sign up: nobody, anybody with a verified e-mail address, or those of listed domains (verified, too). */
export const SIGNUP_MODES = ['blocked', 'verified_email', 'allowed_domains'] as const;
export type SignupMode = (typeof SIGNUP_MODES)[number];

/** Of the whole instance. */
export interface AdminSignupPolicy {
  readonly mode: SignupMode;
  /** Lower-case; given with `allowed_domains` and with no other mode. */
  readonly allowedDomains: readonly string[];
  /** 0: nobody has set one. */
  readonly version: number;
  readonly updatedBy?: string;
  readonly updatedAt?: number;
}

/** What holds until somebody decides otherwise. */
export const DEFAULT_SIGNUP_POLICY: AdminSignupPolicy = { mode: 'blocked', allowedDomains: [], version: 0 };

/** `pending → active | disabled`, `active → disabled`, `disabled → active`. */
export const ADMIN_IDENTITY_STATUSES = ['active', 'pending', 'disabled'] as const;
export type AdminIdentityStatus = (typeof ADMIN_IDENTITY_STATUSES)[number];

/** One role in one tenant. `tenant` '*' is the whole instance, and goes with `owner` alone. */
export interface AdminRoleBinding {
  readonly tenant: string;
  readonly role: AdminRole;
  /** Groups that count for approvals given there. */
  readonly groups: readonly string[];
}

/** A person as an OIDC issuer knows them. Issuer and subject are its identity for ever. */
export interface AdminIdentityRecord {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  /** Lower-case, as the issuer told it; no identity is found by it. */
  readonly email: string;
  readonly isEmailVerified: boolean;
  readonly name?: string;
  readonly status: AdminIdentityStatus;
  /** At most one for each tenant, by tenant. */
  readonly bindings: readonly AdminRoleBinding[];
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type NewAdminIdentity = Omit<AdminIdentityRecord, 'id' | 'bindings' | 'version' | 'createdAt' | 'updatedAt'> & {
  readonly bindings?: readonly AdminRoleBinding[];
};

/** `pending → approved | denied | cancelled`; the others are final. */
export const ACCESS_REQUEST_STATUSES = ['pending', 'approved', 'denied', 'cancelled'] as const;
export type AccessRequestStatus = (typeof ACCESS_REQUEST_STATUSES)[number];

/** An identity asks for a role in a tenant ('*': owner of the instance). */
export type AdminAccessRequestRecord = {
  readonly tenant: string;
  readonly id: string;
  readonly identityId: string;
  readonly role: AdminRole;
  /** Why, in the person's own words. */
  readonly reason?: string;
  readonly createdAt: number;
} & (
  | { readonly status: 'pending' }
  | {
      readonly status: 'approved' | 'denied' | 'cancelled';
      readonly decidedBy: string;
      readonly decidedAt: number;
      readonly decisionReason?: string;
    }
);

export interface NewAdminAccessRequest {
  readonly tenant: string;
  readonly identityId: string;
  readonly role: AdminRole;
  readonly reason?: string;
}

export type AccessRequestTransition =
  | { readonly to: 'approved'; readonly by: string; readonly at: number; readonly reason?: string }
  | { readonly to: 'denied'; readonly by: string; readonly at: number; readonly reason: string }
  | { readonly to: 'cancelled'; readonly by: string; readonly at: number; readonly reason?: string };

export interface AccessRequestChange {
  /** False: it was decided already, and nothing changed. */
  readonly isDone: boolean;
  /** As it is after the change, or as it stands in its way. */
  readonly request: AdminAccessRequestRecord;
}

/**
 * Administrators who log in with an identity of an OIDC issuer. It judges nobody: whether a sign-up policy admits a person is the
 * caller's question. Changes of state are conditional updates on the old one. Each method is atomic, also where it writes several rows.
 */
export interface AdminAuthPort {
  /** `DEFAULT_SIGNUP_POLICY` until one is set. */
  getAdminSignupPolicy(context?: DbContext): Promise<AdminSignupPolicy>;
  /** `ifVersion` given: `stale` when another has been set meanwhile. Fails `invalid` for domains without their mode, and the other way round. */
  setAdminSignupPolicy(
    policy: Pick<AdminSignupPolicy, 'mode' | 'allowedDomains'>,
    by: { readonly updatedBy: string; readonly ifVersion?: number },
    context?: DbContext,
  ): Promise<AdminSignupPolicy>;

  /** Newest first, by time then id. `tenant`: those with a role there; one of the instance ('*') counts for '*' alone. */
  listAdminIdentities(
    filter: { readonly status?: AdminIdentityStatus; readonly tenant?: string },
    page: PageRequest,
    context?: DbContext,
  ): Promise<Page<AdminIdentityRecord>>;
  getAdminIdentityById(id: string, context?: DbContext): Promise<AdminIdentityRecord | undefined>;
  /** Exact: both as the issuer gave them. */
  findAdminIdentityByIssuerSubject(
    issuer: string,
    subject: string,
    context?: DbContext,
  ): Promise<AdminIdentityRecord | undefined>;
  /** Fails `conflict` when issuer and subject are known, `not_found` for a binding in a tenant that is not there. */
  createAdminIdentity(identity: NewAdminIdentity, context?: DbContext): Promise<AdminIdentityRecord>;
  /** Conditional on `from`: `stale` when it is in another status. Fails `invalid` for a bad transition, `not_found`. */
  updateAdminIdentityStatus(
    id: string,
    change: { readonly from: AdminIdentityStatus; readonly to: AdminIdentityStatus },
    context?: DbContext,
  ): Promise<AdminIdentityRecord>;
  /** Replaces all bindings. `ifVersion` given: `stale` when the identity has changed. Fails `not_found`. */
  updateAdminIdentityBindings(
    id: string,
    change: { readonly bindings: readonly AdminRoleBinding[]; readonly ifVersion?: number },
    context?: DbContext,
  ): Promise<AdminIdentityRecord>;
  /** Sets the given bindings and leaves those in other tenants alone. Fails `not_found`. */
  upsertAdminRoleBindings(
    id: string,
    bindings: readonly AdminRoleBinding[],
    context?: DbContext,
  ): Promise<AdminIdentityRecord>;

  /** Fails `conflict` while one of that identity is pending for the tenant, `not_found` without identity or tenant. */
  createAdminAccessRequest(request: NewAdminAccessRequest, context?: DbContext): Promise<AdminAccessRequestRecord>;
  /** Newest first, by time then id. `tenant` undefined lists all. */
  listAdminAccessRequests(
    filter: { readonly tenant?: string; readonly status?: AccessRequestStatus; readonly identityId?: string },
    page: PageRequest,
    context?: DbContext,
  ): Promise<Page<AdminAccessRequestRecord>>;
  /** Gives no role: the caller does that with `upsertAdminRoleBindings` in the same transaction. Fails `not_found`. */
  transitionAdminAccessRequestStatus(
    tenant: string,
    id: string,
    change: AccessRequestTransition,
    context?: DbContext,
  ): Promise<AccessRequestChange>;
}
