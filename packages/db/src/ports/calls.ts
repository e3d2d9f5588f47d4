import type { DbContext } from './context.ts';

/**
 *   queued → running → done;   queued → cancelled
 *
 * `running` under a lease. When that runs out the call may be taken again: whether it is sent again is the claim's to say, for every
 * queued call has a key.
 */
export const QUEUED_CALL_STATES = ['queued', 'running', 'done', 'cancelled'] as const;
export type QueuedCallState = (typeof QUEUED_CALL_STATES)[number];

/** A call that the agent did not wait for. */
export interface QueuedCallRecord {
  readonly tenant: string;
  readonly id: string;
  readonly agent: string;
  readonly integration: string;
  readonly state: QueuedCallState;
  /** Id of the stored request. */
  readonly sealedRequest: string;
  /** The idempotency key of its claim. */
  readonly claimKey: string;
  readonly requestId: string;
  /** How often it was taken. */
  readonly attempts: number;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  /** Of a `done` one. */
  readonly result?: QueuedCallResult;
}

/** What the agent is told: an answer (status, headers, body, sealed by the caller; fetched with `readResult`), or a problem. */
export type QueuedCallResult =
  | { readonly kind: 'answer'; readonly id: string; readonly bytes: number }
  | { readonly kind: 'problem'; readonly code: string; readonly status: number; readonly detail: string };

export type NewQueuedCallResult =
  | { readonly kind: 'answer'; readonly sealed: Uint8Array }
  | { readonly kind: 'problem'; readonly code: string; readonly status: number; readonly detail: string };

/** A call that one worker may run until `leaseUntil`. */
export type TakenCall = QueuedCallRecord & { readonly leaseUntil: number };

/** Specification, section 6. */
export const QUEUED_CALLS_PER_TENANT_MAX = 10_000;
export const RUNNING_CALLS_PER_INTEGRATION_MAX = 4;

/** The queue of calls that were answered 202. */
export interface QueuedCallsPort {
  /** undefined: the tenant has `QUEUED_CALLS_PER_TENANT_MAX` queued or running. Counted in the same transaction. */
  enqueue(
    call: Pick<QueuedCallRecord, 'tenant' | 'agent' | 'integration' | 'sealedRequest' | 'claimKey' | 'requestId'>,
    nowMs: number,
    context?: DbContext,
  ): Promise<QueuedCallRecord | undefined>;
  getById(tenant: string, id: string, context?: DbContext): Promise<QueuedCallRecord | undefined>;
  /** The youngest of the key that is queued or running. */
  findOpen(
    scope: { readonly tenant: string; readonly agent: string; readonly integration: string; readonly key: string },
    context?: DbContext,
  ): Promise<QueuedCallRecord | undefined>;
  /** The sealed answer of a `done` one; undefined when it has none or it is swept. */
  readResult(tenant: string, id: string): Promise<Uint8Array | undefined>;
  /**
   * Oldest first, tenants in turn, each for one taker at a time, and never more than `perIntegration` (default 4) of a tenant's
   * integration, nor more of a tenant than its `runningQueuedCalls`, running at once over all takers. Those of a tenant that is
   * disabled wait.
   */
  take(
    nowMs: number,
    terms: { readonly leaseMs: number; readonly limit: number; readonly perIntegration?: number },
  ): Promise<readonly TakenCall[]>;
  /** Keeps a taken one. False when it is not this try's any more: then the worker must not begin to send. */
  renew(call: Pick<TakenCall, 'tenant' | 'id' | 'attempts'>, leaseUntil: number): Promise<boolean>;
  /** `queued` again, as if it had not been taken (the gateway is stopping, or it waits for an approval): due at `notBefore`. */
  putBack(call: Pick<TakenCall, 'tenant' | 'id' | 'attempts'>, notBefore: number): Promise<boolean>;
  /** False when it is not this try's any more. The result is kept until `keepUntil`. */
  finish(
    call: Pick<TakenCall, 'tenant' | 'id' | 'attempts'>,
    outcome: { readonly result: NewQueuedCallResult; readonly at: number; readonly keepUntil: number },
  ): Promise<boolean>;
  /** While `queued`. False when it is anything else by now, or not this agent's. */
  cancel(
    tenant: string,
    id: string,
    cancellation: { readonly agent?: string; readonly at: number; readonly keepUntil: number },
    context?: DbContext,
  ): Promise<boolean>;
  /** When the next one may be taken, as far as leases and `notBefore` tell; undefined when nothing is queued or running. */
  nextDueAt(): Promise<number | undefined>;
  /** Removes finished ones whose time is over, with their results; returns how many. */
  sweep(nowMs: number, limit: number): Promise<number>;
}
