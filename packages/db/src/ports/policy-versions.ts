import type { DbContext, Page, PageRequest } from './context.ts';

export const POLICY_VERSION_STATUSES = ['draft', 'active', 'superseded'] as const;
export type PolicyVersionStatus = (typeof POLICY_VERSION_STATUSES)[number];

/** A version without its content. `number`, `contentHash`, `note`, `base` and who made it when never change. */
export interface PolicyVersionSummary {
  readonly tenant: string;
  readonly id: string;
  /** Counts the versions of the tenant from 1. */
  readonly number: number;
  readonly status: PolicyVersionStatus;
  /** SHA-256 of the document's bytes, lower-case hex. */
  readonly contentHash: string;
  /** What decisions name: the version of all that it was compiled with. Never of a draft; of others where that could be compiled. */
  readonly policyVersion?: string;
  readonly note?: string;
  /** Number of the version that was active when this one was made. */
  readonly base?: number;
  readonly createdBy: string;
  readonly createdAt: number;
  /** When it was activated last; of drafts never. */
  readonly activatedAt?: number;
}

export interface PolicyVersionRecord extends PolicyVersionSummary {
  /** The RFC 8785 text of `{risk, rules}`; never changes. */
  readonly document: string;
}

/** `active`: the one in force; `previous`: of those that were in force before, the last. */
export type PolicyVersionRef = { readonly id: string } | { readonly number: number } | 'active' | 'previous';

/**
 * Versions of a tenant's policy: draft → active → superseded, and back to active. At most one is active, which the store itself sees to.
 * The port keeps documents and knows nothing of what is in them.
 */
export interface PolicyVersionsPort {
  /** A draft with the next number, based on the version that is active now. Runs inside a transaction only. */
  createPolicyVersion(
    version: {
      readonly tenant: string;
      readonly document: string;
      readonly createdBy: string;
      readonly note?: string | undefined;
    },
    context: DbContext,
  ): Promise<PolicyVersionRecord>;
  /**
   * Makes a draft or superseded version active and the active one superseded. Fails `stale` when the active version is not that of
   * `ifActive` (undefined: none), or the version is active already. Runs inside a transaction only.
   */
  activatePolicyVersion(
    tenant: string,
    id: string,
    options: { readonly ifActive: string | undefined; readonly policyVersion: string | undefined },
    context: DbContext,
  ): Promise<PolicyVersionSummary>;
  /** Writes down what the active version gives together with what is around it now. False when there is no active one. */
  setActivePolicyVersion(tenant: string, policyVersion: string | undefined, context: DbContext): Promise<boolean>;
  getPolicyVersion(
    tenant: string,
    ref: PolicyVersionRef,
    context?: DbContext,
  ): Promise<PolicyVersionRecord | undefined>;
  /** As `getPolicyVersion`, without reading the document. */
  getPolicyVersionSummary(
    tenant: string,
    ref: PolicyVersionRef,
    context?: DbContext,
  ): Promise<PolicyVersionSummary | undefined>;
  /** Newest first. */
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<PolicyVersionSummary>>;
}
