import type { ApiPage, PageQuery } from './api-objects.ts';
import { allPages, readJson, writeJson } from './collections.ts';
import type { Send } from './send.ts';

export type ApiClaimState =
  | 'reserved'
  | 'awaiting_approval'
  | 'dispatching'
  | 'succeeded'
  | 'failed_not_sent'
  | 'failed_final'
  | 'unknown';
export type ApiClaimOutcome = 'done' | 'not_done' | 'retry';

/** The ownership of one idempotency key. Times are ISO 8601 in UTC. */
export interface ApiClaim {
  readonly id: string;
  readonly agent: string;
  readonly integration: string;
  readonly key: string;
  readonly state: ApiClaimState;
  readonly fingerprint: string;
  /** How often the call was sent, or may have been. */
  readonly dispatches: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly requestId?: string;
  readonly approvalId?: string;
  readonly dispatching?: { readonly node: string; readonly leaseUntil: string };
  readonly problem?: { readonly code: string; readonly status: number; readonly until?: string };
  /** Absent: there is none to replay. */
  readonly answer?: { readonly bytes: number };
  readonly resolution?: {
    readonly outcome: ApiClaimOutcome;
    readonly note: string;
    readonly by: string;
    readonly at: string;
  };
  /** One re-send will be let through. */
  readonly retryAllowed: boolean;
}

export interface ClaimQuery extends PageQuery {
  readonly state?: ApiClaimState;
  readonly agent?: string;
  readonly integration?: string;
}

export function claimCalls(send: Send) {
  const list = (query: ClaimQuery = {}) =>
    readJson<ApiPage<ApiClaim>>(send, { path: '/v1/claims', query: { ...query } });
  const one = (id: string) => `/v1/claims/${encodeURIComponent(id)}`;
  return {
    /** Newest first. */
    list,
    all: (query: Omit<ClaimQuery, keyof PageQuery> = {}) => allPages((page) => list({ ...query, ...page })),
    get: (id: string) => readJson<ApiClaim>(send, { path: one(id) }),
    /** Only of one that is `unknown`. */
    resolve: (id: string, resolution: { readonly outcome: ApiClaimOutcome; readonly note: string }) =>
      writeJson<ApiClaim>(send, 'POST', `${one(id)}/resolve`, { body: resolution }),
  };
}
