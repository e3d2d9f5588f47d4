import type { ApprovalRisk, ApprovalStatus } from '@postern/db/ports';

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

interface NotificationBase {
  /** When it happened. All times are milliseconds since the epoch here and RFC 3339 in the body. */
  readonly at: number;
  readonly tenant: string;
  /** Where a person looks at it: on the control plane, under its public URL. */
  readonly url: string;
}

/** What happened: identifiers, risk and a link. There is no member for arguments, headers, reasons or secrets. */
export type Notification =
  | (NotificationBase & {
      readonly type: 'approval.created' | 'approval.decided' | 'approval.expired';
      readonly approvalId: string;
      readonly status: ApprovalStatus;
      readonly agent: string;
      readonly integration: string;
      readonly action?: string | undefined;
      readonly risk?: ApprovalRisk | undefined;
      readonly expiresAt: number;
    })
  | (NotificationBase & { readonly type: 'edge.offline'; readonly edge: string; readonly lastSeenAt: number })
  | (NotificationBase & { readonly type: 'secret.expiring'; readonly secret: string; readonly expiresAt: number })
  | (NotificationBase & { readonly type: 'audit.spooling'; readonly entries: number });

/** The exact text that is signed, stored and sent: `{type, timestamp, data}`, JSON. Members that are not named here never get in. */
export function encodeNotification(notification: Notification): string {
  const { type, at } = notification;
  return JSON.stringify({ type, timestamp: timeText(at), data: dataOf(notification) });
}

function dataOf(notification: Notification): object {
  const { tenant, url } = notification;
  switch (notification.type) {
    case 'approval.created':
    case 'approval.decided':
    case 'approval.expired': {
      const { approvalId, status, agent, integration, action, risk, expiresAt } = notification;
      return {
        approvalId,
        status,
        tenant,
        agent,
        integration,
        action: action ?? null,
        risk: risk === undefined ? null : { score: risk.score, labels: [...risk.labels] },
        expiresAt: timeText(expiresAt),
        url,
      };
    }
    case 'edge.offline':
      return { tenant, edge: notification.edge, lastSeenAt: timeText(notification.lastSeenAt), url };
    case 'secret.expiring':
      return { tenant, secret: notification.secret, expiresAt: timeText(notification.expiresAt), url };
    case 'audit.spooling':
      return { tenant, entries: notification.entries, url };
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
