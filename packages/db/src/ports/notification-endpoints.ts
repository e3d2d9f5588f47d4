import type { NotificationEndpoint } from '@postern/schemas';
import type { DbContext, Origin } from './context.ts';

/** A receiver of a tenant's notifications, and how the last tries went. */
export interface NotificationEndpointRecord {
  readonly tenant: string;
  /** What the outbox calls it. One that is removed and made again has another. */
  readonly id: string;
  readonly spec: NotificationEndpoint;
  readonly origin: Origin;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When it last took a message. */
  readonly deliveredAt?: number;
  /** When a try last failed, if none has succeeded since, and with what: a status or a code. */
  readonly failed?: { readonly at: number; readonly error: string };
}

/** Whether an endpoint is disabled is the outbox's to know. A tenant has few: lists are whole. */
export interface NotificationEndpointsPort {
  /** Fails `conflict` when the tenant has one of this URL. */
  create(
    tenant: string,
    spec: NotificationEndpoint,
    origin: Origin,
    context?: DbContext,
  ): Promise<NotificationEndpointRecord>;
  getById(tenant: string, id: string, context?: DbContext): Promise<NotificationEndpointRecord | undefined>;
  /** By URL. */
  listByTenant(tenant: string, context?: DbContext): Promise<readonly NotificationEndpointRecord[]>;
  /** The URL cannot change. Fails `not_found`, `invalid`. */
  update(
    endpoint: { readonly tenant: string; readonly id: string },
    spec: NotificationEndpoint,
    origin: Origin,
    context?: DbContext,
  ): Promise<NotificationEndpointRecord>;
  /** What waits for it in the outbox becomes `disabled`, and nothing can be replayed to it. Fails `not_found`. */
  remove(tenant: string, id: string, at: number, context?: DbContext): Promise<void>;
  /** How a try ended. Nothing when the endpoint is gone. */
  noteTry(tenant: string, id: string, outcome: { readonly at: number; readonly error?: string }): Promise<void>;
  /**
   * Whether `subject` should be told of at `at`: true when it was not told of within the last `everyMs`, and then it counts as told.
   * In the transaction of the message; a clock that went back does not silence it.
   */
  takeNotice(
    tenant: string,
    subject: string,
    when: { readonly at: number; readonly everyMs: number },
    context?: DbContext,
  ): Promise<boolean>;
}
