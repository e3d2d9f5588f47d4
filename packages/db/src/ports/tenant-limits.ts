import type { TenantLimit, TenantLimits } from '@postern/schemas';
import type { DbContext } from './context.ts';
import { DbError } from './db-error.ts';

/** What an instance owner has bounded of a tenant. Of one that nobody bounded `version` is 0 and `limits` empty. */
export interface TenantLimitsRecord {
  readonly tenant: string;
  readonly limits: TenantLimits;
  readonly version: number;
  readonly updatedAt?: number;
}

/** The bounds on what is stored: each is counted in the transaction that would exceed it. */
export const STORED_LIMITS = [
  'agents',
  'integrations',
  'rules',
  'secrets',
  'templates',
  'queuedCalls',
  'runningQueuedCalls',
  'queuedBytes',
  'pendingApprovals',
  'sealedBytes',
] as const satisfies readonly TenantLimit[];
export type StoredLimit = (typeof STORED_LIMITS)[number];

/** How much of each a tenant has now. */
export type TenantUsage = Readonly<Record<StoredLimit, number>>;

/** A write would exceed a bound of its tenant; nothing was changed. */
export class TenantLimitReached extends DbError {
  readonly tenant: string;
  readonly limit: StoredLimit;
  readonly max: number;

  constructor(tenant: string, limit: StoredLimit, max: number) {
    super('conflict', `tenant_limits: ${tenant} may have ${max} of ${limit}`);
    this.tenant = tenant;
    this.limit = limit;
    this.max = max;
  }
}

export interface TenantLimitsPort {
  get(tenant: string, context?: DbContext): Promise<TenantLimitsRecord>;
  /**
   * Replaces all bounds; a member that is absent bounds nothing. Below what the tenant has already it keeps that, and gets no more.
   * Fails `stale` when `ifVersion` is not the version that stands there (0: none), `not_found` for no such tenant.
   */
  set(
    tenant: string,
    limits: TenantLimits,
    options: { readonly ifVersion?: number },
    context: DbContext,
  ): Promise<TenantLimitsRecord>;
  /** Of these kinds, default all; any other reads 0. */
  usage(
    tenant: string,
    nowMs: number,
    options?: { readonly kinds?: readonly StoredLimit[]; readonly context?: DbContext },
  ): Promise<TenantUsage>;
  /**
   * Whether what the transaction has written leaves the tenant within its bounds of these kinds; asked after the writes and before the
   * commit, so that it is never above them, whoever writes at once. Only what is bounded is counted. Fails `TenantLimitReached`: then the
   * caller lets the transaction fail.
   */
  requireRoom(tenant: string, kinds: readonly StoredLimit[], nowMs: number, context: DbContext): Promise<void>;
}
