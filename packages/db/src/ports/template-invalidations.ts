import type { DbContext } from './context.ts';

/** Word that a template version has been published or taken out of use, for the caches of all nodes. */
export type TemplateInvalidation = {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly createdAt: number;
  /** Deliveries begun. */
  readonly attempts: number;
  /** Of the last delivery that failed. */
  readonly lastError?: string;
} & (
  | { readonly state: 'pending'; readonly nextAttemptAt: number }
  | { readonly state: 'delivered'; readonly deliveredAt: number }
);

/** What is told of, or how its delivery ended. */
export type TemplateInvalidationOutcome =
  | { readonly to: 'delivered'; readonly at: number }
  | { readonly to: 'retry'; readonly nextAttemptAt: number; readonly error: string };

/**
 * Each is written by `TemplatesPort` in the transaction of the change it tells of, taken under a lease, and finished after the bus has
 * it: it arrives at least once. There is no end but delivery.
 */
export interface TemplateInvalidationsPort {
  /** Those that are due, oldest first, each for one taker until its lease is over; then the delivery before counts as begun. */
  take(
    nowMs: number,
    terms: { readonly leaseMs: number; readonly limit: number },
  ): Promise<readonly TemplateInvalidation[]>;
  /** Conditional on the delivery being the present one (`attempts` as taken): false when its lease ran out and another has taken it. */
  finish(
    invalidation: Pick<TemplateInvalidation, 'tenant' | 'id' | 'attempts'>,
    outcome: TemplateInvalidationOutcome,
  ): Promise<boolean>;
  /** Of a tenant, oldest first, at most `limit`; for those who look why caches are late. */
  listPending(tenant: string, limit: number, context?: DbContext): Promise<readonly TemplateInvalidation[]>;
  /** When the next one is due; undefined when nothing is pending. */
  nextDueAt(): Promise<number | undefined>;
  /** Removes what was delivered before `deliveredBefore`; returns how many. */
  sweep(deliveredBefore: number, limit: number): Promise<number>;
}
