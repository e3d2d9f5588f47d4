import { encodeNotification } from '@postern/approvals';
import type { NotificationEndpointsPort, OutboxPort, RunInTransaction } from '@postern/db/ports';

export interface DeadSecretOptions {
  readonly outbox: Pick<OutboxPort, 'add'>;
  readonly endpoints: Pick<NotificationEndpointsPort, 'listByTenant' | 'takeNotice'>;
  readonly runInTransaction: RunInTransaction;
  /** Base of links into the control plane, without trailing slash. */
  readonly adminUrl: () => string;
  readonly now: () => number;
  /** Messages were added. */
  readonly onMessage: () => void;
}

const TYPE = 'secret.expiring';
/** A day: the calls that need the secret fail all the time. */
const EVERY_MS = 86_400_000;

/** Tells who wants to know that a secret is of no use any more, at most once a day. Resolves to whether anybody was told. */
export type AnnounceDeadSecret = (tenant: string, secret: string) => Promise<boolean>;

export function createDeadSecretAnnouncement(options: DeadSecretOptions): AnnounceDeadSecret {
  const { outbox, endpoints, runInTransaction, adminUrl, now, onMessage } = options;
  return async (tenant, secret) => {
    const isTold = await runInTransaction(async (context) => {
      const wanting = (await endpoints.listByTenant(tenant, context)).filter(({ spec }) => spec.events.includes(TYPE));
      const at = now();
      if (wanting.length === 0) return false;
      if (!(await endpoints.takeNotice(tenant, `secret:${secret}`, { at, everyMs: EVERY_MS }, context))) return false;
      const url = `${adminUrl()}/v1/secrets/${encodeURIComponent(secret)}`;
      const body = encodeNotification({ type: TYPE, at, tenant, url, secret, expiresAt: at });
      const messages = wanting.map(({ id: endpoint }) => ({ tenant, endpoint, type: TYPE, body }));
      await outbox.add(messages, at, context);
      return true;
    });
    if (isTold) onMessage();
    return isTold;
  };
}
