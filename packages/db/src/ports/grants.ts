import type { DbContext, Page, PageRequest } from './context.ts';

export const GRANT_KINDS = ['once', 'times', 'until', 'rule'] as const;
export type GrantKind = (typeof GRANT_KINDS)[number];

/** `usable`, or why not. */
export const GRANT_STATES = ['usable', 'spent', 'expired', 'revoked'] as const;
export type GrantState = (typeof GRANT_STATES)[number];

/** What a standing grant (`rule`) is bound to instead of a fingerprint. `path` is the canonical one, exactly. */
export interface StandingScope {
  readonly integration: string;
  /** Absent: calls that no action of the integration covers. */
  readonly action?: string | undefined;
  readonly method: string;
  readonly path: string;
}

interface GrantTermsBase {
  /** From here on it is over. */
  readonly expiresAt: number;
}

/** `once`, `times` and `until` are bound to the fingerprint of their approval. `until` and `rule` count no uses. */
export type GrantTerms =
  | (GrantTermsBase & { readonly kind: 'once' })
  | (GrantTermsBase & { readonly kind: 'times'; readonly times: number })
  | (GrantTermsBase & { readonly kind: 'until' })
  | (GrantTermsBase & { readonly kind: 'rule'; readonly scope: StandingScope });

export interface GrantRecord {
  readonly tenant: string;
  readonly id: string;
  readonly approvalId: string;
  readonly agent: string;
  readonly kind: GrantKind;
  /** Of all but `rule`. */
  readonly fingerprint?: string;
  /** Of `rule`. */
  readonly scope?: StandingScope;
  /** Of `once` and `times`. */
  readonly usesLeft?: number;
  readonly expiresAt: number;
  readonly createdAt: number;
  /** Of the last one to approve. */
  readonly grantedBy: string;
  readonly revokedAt?: number;
  readonly revokedBy?: string;
  /** As it reads at the time asked for. */
  readonly state: GrantState;
}

/** A call that looks for a grant. */
export interface GrantSearch extends StandingScope {
  readonly tenant: string;
  readonly agent: string;
  readonly fingerprint: string;
}

/**
 * Grants. They are made with the approval's decision (`ApprovalsPort.transition`) and used in the commit of an intent
 * (`CallJournal.commitIntent`) alone. At `expiresAt` exactly a grant is over.
 */
export interface GrantsPort {
  /**
   * What fits the call and is usable at `nowMs`, one point read. Best first: what costs no use before what does, bound to the call
   * before standing, then what ends sooner. Found here, a grant may still be gone at the commit.
   */
  findFitting(search: GrantSearch, nowMs: number, context?: DbContext): Promise<readonly GrantRecord[]>;
  getById(tenant: string, id: string, nowMs: number, context?: DbContext): Promise<GrantRecord | undefined>;
  /** Those of one approval, newest first. */
  listByApproval(
    tenant: string,
    approvalId: string,
    nowMs: number,
    context?: DbContext,
  ): Promise<readonly GrantRecord[]>;
  /** Newest first. `isUsable`: only those that are at `nowMs`. */
  list(
    tenant: string,
    filter: { readonly agent?: string; readonly isUsable?: boolean },
    page: PageRequest & { readonly nowMs: number },
  ): Promise<Page<GrantRecord>>;
  /**
   * Conditional on not being revoked yet; with its audit entry (`grant.revoked`) in the same transaction. False when it was revoked
   * before. Fails `not_found`. A call whose intent is committed is not called back.
   */
  revoke(
    tenant: string,
    id: string,
    revocation: { readonly by: string; readonly at: number; readonly reason?: string },
    context?: DbContext,
  ): Promise<boolean>;
}
