import type { NotificationEndpoint } from '@postern/schemas';
import type { ApiPage, PageQuery } from './api-objects.ts';
import { allPages, readJson, writeJson } from './collections.ts';
import type { Send } from './send.ts';

/** An endpoint that is told of events, and how it fares. Times are ISO 8601 in UTC. */
export type ApiNotification = NotificationEndpoint & {
  readonly id: string;
  /** `disabled`: it answered 410 and gets nothing until it is enabled. */
  readonly state: 'active' | 'disabled';
  readonly disabledAt?: string;
  /** When it last took a message. */
  readonly deliveredAt?: string;
  /** Of the last try, when it failed: a status or a code. */
  readonly lastError?: string;
  readonly failedAt?: string;
  readonly origin: 'config' | 'api';
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type ApiMessageState = 'pending' | 'delivered' | 'dead' | 'disabled';

/** One message to one endpoint. */
export interface ApiMessage {
  /** The `webhook-id`. */
  readonly id: string;
  /** Id of the endpoint. */
  readonly endpoint: string;
  /** Absent: the endpoint was removed. */
  readonly url?: string;
  readonly type: string;
  readonly state: ApiMessageState;
  readonly attempts: number;
  readonly nextAttemptAt?: string;
  readonly lastError?: string;
  readonly createdAt: string;
  readonly finishedAt?: string;
}

export interface MessageQuery extends PageQuery {
  readonly state?: ApiMessageState;
}

export function notificationCalls(send: Send) {
  const base = '/v1/notifications';
  const one = (id: string) => `${base}/${encodeURIComponent(id)}`;
  const message = (id: string) => `${base}/messages/${encodeURIComponent(id)}`;
  const listMessages = (query: MessageQuery = {}) =>
    readJson<ApiPage<ApiMessage>>(send, { path: `${base}/messages`, query: { ...query } });
  return {
    async list(): Promise<readonly ApiNotification[]> {
      return (await readJson<{ items: ApiNotification[] }>(send, { path: base })).items;
    },
    get: (id: string) => readJson<ApiNotification>(send, { path: one(id) }),
    enable: (id: string) => writeJson<ApiNotification>(send, 'POST', `${one(id)}/enable`),
    /** Newest first. */
    messages: listMessages,
    allMessages: (query: Omit<MessageQuery, keyof PageQuery> = {}) =>
      allPages((page) => listMessages({ ...query, ...page })),
    /** With the exact text that is signed. */
    message: (id: string) => readJson<ApiMessage & { readonly body: string }>(send, { path: message(id) }),
    /** Only of one that is not pending, to an endpoint that is not disabled. */
    replay: (id: string) => writeJson<ApiMessage>(send, 'POST', `${message(id)}/replay`),
  };
}
