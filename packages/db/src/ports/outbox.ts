import type { DbContext, Page, PageRequest } from './context.ts';

/** `dead`: tried as often as is right. `disabled`: its endpoint was disabled before it was delivered. */
export const OUTBOX_STATES = ['pending', 'delivered', 'dead', 'disabled'] as const;
export type OutboxState = (typeof OUTBOX_STATES)[number];

/** One message to one endpoint. */
export interface OutboxMessage {
  readonly tenant: string;
  /** The `webhook-id`: the same over all tries and replays. */
  readonly id: string;
  /** Names the endpoint within the tenant; opaque here. */
  readonly endpoint: string;
  readonly type: string;
  /** The exact text that is signed and sent. */
  readonly body: string;
  readonly state: OutboxState;
  /** Tries begun since it was made or replayed. */
  readonly attempts: number;
  readonly nextAttemptAt: number;
  readonly createdAt: number;
  /** Of the last try that failed: a status or an error code. */
  readonly lastError?: string;
  readonly finishedAt?: number;
}

export interface NewOutboxMessage {
  readonly tenant: string;
  readonly endpoint: string;
  readonly type: string;
  readonly body: string;
  /** Default: at once. */
  readonly nextAttemptAt?: number;
}

/** A message that one worker may send until `leaseUntil`; `attempts` counts this try. */
export type TakenMessage = OutboxMessage & { readonly leaseUntil: number };

/** How a try ended. */
export type OutboxOutcome =
  | { readonly to: 'delivered'; readonly at: number }
  | { readonly to: 'retry'; readonly nextAttemptAt: number; readonly error: string }
  | { readonly to: 'dead'; readonly at: number; readonly error: string };

/** Durable messages to webhooks: each is delivered at least once, or ends `dead` or `disabled`. */
export interface OutboxPort {
  /** In the caller's transaction, so that a message goes out exactly when what it tells of has happened. To a disabled endpoint: as `disabled`. */
  add(messages: readonly NewOutboxMessage[], nowMs: number, context?: DbContext): Promise<readonly OutboxMessage[]>;
  /**
   * Those that are due, oldest first, each for one taker at a time: a lease that ran out frees it, and then the try of the taker before
   * counts as made. `busyEndpoints`: `{tenant} {endpoint}` that are passed over; `busyTenants`: whose all are.
   */
  take(
    nowMs: number,
    terms: {
      readonly leaseMs: number;
      readonly limit: number;
      readonly busyEndpoints?: readonly string[];
      readonly busyTenants?: readonly string[];
    },
  ): Promise<readonly TakenMessage[]>;
  /** Conditional on the try being the present one (`attempts` as taken): false when its lease ran out and another has taken it, or it is disabled. */
  finish(message: Pick<TakenMessage, 'tenant' | 'id' | 'attempts'>, outcome: OutboxOutcome): Promise<boolean>;
  /** After a 410: the endpoint gets nothing more, and what was pending for it is `disabled`. False when it was so already. */
  disableEndpoint(tenant: string, endpoint: string, at: number, context?: DbContext): Promise<boolean>;
  /** False when it was not disabled. What is `disabled` stays so until it is replayed. */
  enableEndpoint(tenant: string, endpoint: string, context?: DbContext): Promise<boolean>;
  listDisabledEndpoints(tenant: string): Promise<readonly { endpoint: string; disabledAt: number }[]>;
  getById(tenant: string, id: string): Promise<OutboxMessage | undefined>;
  /** Newest first. */
  list(tenant: string, filter: { readonly state?: OutboxState }, page: PageRequest): Promise<Page<OutboxMessage>>;
  /** By hand: makes one that is not pending due at once, with its tries counted anew. False when it is pending, or its endpoint is disabled. Fails `not_found`. */
  replay(tenant: string, id: string, nowMs: number, context?: DbContext): Promise<boolean>;
  /** How many are pending, of all tenants. */
  countPending(): Promise<number>;
  /** When the next one is due; undefined when nothing is pending. */
  nextDueAt(): Promise<number | undefined>;
  /** Removes what was finished before `finishedBefore`; returns how many. */
  sweep(finishedBefore: number, limit: number): Promise<number>;
}
