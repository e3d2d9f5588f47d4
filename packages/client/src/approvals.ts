import type { ApiPage, PageQuery } from './api-objects.ts';
import { allPages, readJson, writeJson } from './collections.ts';
import type { Send } from './send.ts';

export type ApiApprovalStatus =
  | 'pending'
  | 'approved'
  | 'denied'
  | 'expired'
  | 'cancelled'
  | 'executing'
  | 'executed'
  | 'failed'
  | 'unknown';
export type ApiGrantKind = 'once' | 'times' | 'until' | 'rule';

/** The grant that somebody asks for. `times` goes with `times`, `until` (ISO 8601) with `until`. */
export interface GrantAsked {
  readonly kind: ApiGrantKind;
  readonly times?: number;
  readonly until?: string;
}

/** As lists have it. Times are ISO 8601 in UTC; texts that an agent wrote have visible characters only. */
export interface ApiApproval {
  readonly id: string;
  readonly status: ApiApprovalStatus;
  readonly createdAt: string;
  /** End of the pending window. */
  readonly expiresAt: string;
  /** One line. */
  readonly summary: string;
  readonly agent: string;
  readonly environment?: string;
  readonly integration: string;
  readonly action?: string;
  readonly method: string;
  readonly url: string;
  /** The agent's stated purpose. */
  readonly intent?: string;
  readonly risk?: { readonly score: number; readonly labels: readonly string[] };
  readonly rule?: string;
  readonly reason?: string;
  readonly policyVersion?: string;
  readonly fingerprint: string;
  /** Of the call that asked. */
  readonly requestId: string;
  readonly idempotencyKey?: string;
  readonly terms: {
    /** Distinct people; of each group, when groups are given. */
    readonly approvers: number;
    readonly groups: readonly string[];
    readonly pendingSeconds: number;
    readonly executeSeconds: number;
    /** The widest grant that may be given. */
    readonly grant: ApiGrantKind;
  };
  readonly votes: readonly {
    readonly by: string;
    readonly groups: readonly string[];
    readonly at: string;
    readonly note?: string;
    readonly grant?: GrantAsked;
    /** False: this person is no administrator any more. */
    readonly counts: boolean;
  }[];
  /** While it is pending: who must approve still. */
  readonly missing?: {
    readonly words: string;
    readonly seats: readonly { readonly groups: readonly string[]; readonly count: number }[];
  };
  readonly approvedAt?: string;
  readonly executeUntil?: string;
  readonly decidedBy?: string;
  readonly decidedAt?: string;
  readonly decisionReason?: string;
  /** Until then the same call asks nobody. */
  readonly deniedUntil?: string;
  readonly executedBy?: string;
}

export type ApiRequestBody =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'text' | 'hex';
      readonly text: string;
      readonly bytes: number;
      readonly shownBytes: number;
      readonly truncated: boolean;
      /** `sha-256:` + hex of the whole. */
      readonly digest: string;
      readonly hasHidden: boolean;
    };

export interface ApiApprovalDetail extends ApiApproval {
  /** The exact request, before the credential; what hides is written as `\u{…}`. Null: `requestProblem` tells why. */
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly body: ApiRequestBody;
    /** All of it in lines. */
    readonly text: string;
  } | null;
  readonly requestProblem?: string;
  readonly warnings: readonly string[];
  readonly descriptor: unknown;
  /** While it is pending: the grants that may be given, and what each would let pass. */
  readonly offers: readonly { readonly kind: ApiGrantKind; readonly words: string }[];
  readonly grants: readonly ApiGrant[];
}

export interface ApiGrant {
  readonly id: string;
  readonly approvalId: string;
  readonly agent: string;
  readonly kind: ApiGrantKind;
  readonly state: 'usable' | 'spent' | 'expired' | 'revoked';
  /** What it lets pass. */
  readonly words: string;
  /** Absent for a standing grant, which has `scope`. */
  readonly fingerprint?: string;
  readonly scope?: {
    readonly integration: string;
    readonly action?: string;
    readonly method: string;
    readonly path: string;
  };
  readonly usesLeft?: number;
  readonly expiresAt: string;
  readonly createdAt: string;
  readonly grantedBy: string;
  readonly revokedAt?: string;
  readonly revokedBy?: string;
}

export interface ApprovalQuery extends PageQuery {
  readonly status?: ApiApprovalStatus;
  readonly agent?: string;
}

export interface GrantQuery extends PageQuery {
  readonly agent?: string;
  /** Whether they let calls pass now; absent: all. */
  readonly usable?: boolean;
}

export function approvalCalls(send: Send) {
  const list = (query: ApprovalQuery = {}) =>
    readJson<ApiPage<ApiApproval>>(send, { path: '/v1/approvals', query: { ...query } });
  const one = (id: string) => `/v1/approvals/${encodeURIComponent(id)}`;
  return {
    /** Newest first. */
    list,
    all: (query: Omit<ApprovalQuery, keyof PageQuery> = {}) => allPages((page) => list({ ...query, ...page })),
    get: (id: string) => readJson<ApiApprovalDetail>(send, { path: one(id) }),
    /** One person's yes; it may take more. */
    approve: (id: string, approving: { readonly grant?: GrantAsked; readonly note?: string } = {}) =>
      writeJson<ApiApproval>(send, 'POST', `${one(id)}/approve`, { body: approving }),
    /** `rule`: until when (ISO 8601) the same call asks nobody; default a minute. */
    deny: (id: string, denying: { readonly reason: string; readonly rule?: { readonly expiresAt: string } }) =>
      writeJson<ApiApproval>(send, 'POST', `${one(id)}/deny`, { body: denying }),
  };
}

export function grantCalls(send: Send) {
  const list = ({ usable, ...query }: GrantQuery = {}) => {
    const filter = usable === undefined ? query : { ...query, usable: String(usable) };
    return readJson<ApiPage<ApiGrant>>(send, { path: '/v1/grants', query: filter });
  };
  const one = (id: string) => `/v1/grants/${encodeURIComponent(id)}`;
  return {
    /** Newest first. */
    list,
    all: (query: Omit<GrantQuery, keyof PageQuery> = {}) => allPages((page) => list({ ...query, ...page })),
    get: (id: string) => readJson<ApiGrant>(send, { path: one(id) }),
    revoke: (id: string, { reason }: { readonly reason?: string } = {}) =>
      writeJson<ApiGrant>(send, 'POST', `${one(id)}/revoke`, { body: reason === undefined ? {} : { reason } }),
  };
}
