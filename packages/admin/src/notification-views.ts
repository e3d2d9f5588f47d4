import { type NotificationEndpointRecord, OUTBOX_STATES, type OutboxMessage } from '@postern/db/ports';
import { notificationEndpointSchema } from '@postern/schemas';
import { z } from 'zod';
import { isoTime } from './views.ts';

const time = z.string().describe('ISO 8601, UTC');

export const notificationView = notificationEndpointSchema.extend({
  id: z.string(),
  state: z.enum(['active', 'disabled']).describe('disabled: it answered 410 and gets nothing until it is enabled'),
  disabledAt: time.optional(),
  deliveredAt: time.optional().describe('When it last took a message'),
  lastError: z.string().optional().describe('Of the last try, when it failed: a status or a code'),
  failedAt: time.optional(),
  origin: z.enum(['config', 'api']),
  createdAt: time,
  updatedAt: time,
});

export const messageView = z.object({
  id: z.string().describe('webhook-id: the same over all tries and replays'),
  endpoint: z.string().describe('Id of the endpoint'),
  url: z.string().optional().describe('Of the endpoint. Absent: it was removed'),
  type: z.string(),
  state: z.enum(OUTBOX_STATES),
  attempts: z.int().describe('Tries since it was made or replayed'),
  nextAttemptAt: time.optional().describe('While it is pending'),
  lastError: z.string().optional().describe('Of the last try that failed: a status or a code'),
  createdAt: time,
  finishedAt: time.optional(),
});

export const messageDetailView = messageView.extend({ body: z.string().describe('The exact text that is signed') });

export function viewNotification(
  { id, spec, origin, createdAt, updatedAt, deliveredAt, failed }: NotificationEndpointRecord,
  disabledAt: number | undefined,
): z.output<typeof notificationView> {
  return {
    ...spec,
    id,
    state: disabledAt === undefined ? 'active' : 'disabled',
    origin,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
    ...(disabledAt === undefined ? {} : { disabledAt: isoTime(disabledAt) }),
    ...(deliveredAt === undefined ? {} : { deliveredAt: isoTime(deliveredAt) }),
    ...(failed === undefined ? {} : { lastError: failed.error, failedAt: isoTime(failed.at) }),
  };
}

export function viewMessage(message: OutboxMessage, url: string | undefined): z.output<typeof messageView> {
  const { id, endpoint, type, state, attempts, nextAttemptAt, lastError, createdAt, finishedAt } = message;
  return {
    id,
    endpoint,
    type,
    state,
    attempts,
    createdAt: isoTime(createdAt),
    ...(url === undefined ? {} : { url }),
    ...(state === 'pending' ? { nextAttemptAt: isoTime(nextAttemptAt) } : {}),
    ...(lastError === undefined ? {} : { lastError }),
    ...(finishedAt === undefined ? {} : { finishedAt: isoTime(finishedAt) }),
  };
}
