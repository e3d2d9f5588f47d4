import { z } from 'zod';
import { cidrSchema, nameSchema, uniqueList } from './names.ts';

/** What can be subscribed to (specification, section 9). */
export const NOTIFICATION_EVENTS = [
  'approval.created',
  'approval.decided',
  'approval.expired',
  'edge.offline',
  'secret.expiring',
  'audit.spooling',
] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

/** A receiver of Standard Webhooks; within a tenant its URL names it. */
export const notificationEndpointSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'must be an absolute URL such as https://hooks.example.com/postern' })
    .max(2_048)
    .describe('Where messages are posted; http only to addresses that `unsafeAllowAddresses` names'),
  secret: nameSchema.describe('The secret that messages are signed with: `whsec_` and base64 of 24 to 64 bytes'),
  events: uniqueList(z.enum(NOTIFICATION_EVENTS)).min(1).describe('What is told'),
  unsafeAllowAddresses: uniqueList(cidrSchema)
    .optional()
    .describe('Addresses that are not global and may be dialled all the same; an instance owner alone may set it'),
});

export type NotificationEndpoint = z.infer<typeof notificationEndpointSchema>;

/** Endpoints of one tenant, at most. */
export const NOTIFICATION_ENDPOINTS_MAX = 100;
