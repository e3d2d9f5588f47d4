import type { DbRepositories, RunInTransaction, TakenMessage } from '@postern/db/ports';
import {
  type AnnounceDeadSecret,
  createDeadSecretAnnouncement,
  type Delivered,
  type GatewayMetrics,
  OutboxWorker,
  type OutboxWorkerOptions,
} from '@postern/gateway';
import type { Log } from '../log.ts';

export interface NotificationParts {
  readonly repositories: DbRepositories;
  readonly runInTransaction: RunInTransaction;
  readonly path: OutboxWorkerOptions['path'];
  readonly cache: OutboxWorkerOptions['cache'];
  /** The gateway's. */
  readonly environment: string | undefined;
  readonly adminUrl: () => string;
  readonly metrics: Pick<GatewayMetrics, 'countNotification' | 'register'>;
  readonly log: Log;
}

export interface Notifications {
  readonly worker: OutboxWorker;
  /** Never rejects. */
  readonly announceDeadSecret: (tenant: string, secret: string) => void;
}

/** The gateway's messages to others: what takes them out of the outbox, and what puts them in beside approvals. */
export function openNotifications(parts: NotificationParts): Notifications {
  const { repositories, log, metrics, path, cache, environment, adminUrl, runInTransaction } = parts;
  const { outbox, secrets, notificationEndpoints: endpoints } = repositories;
  const tell = createTeller(log);
  const worker = new OutboxWorker({
    path,
    outbox,
    endpoints,
    secrets,
    cache,
    environment,
    log,
    onDelivered: (delivered, message) => {
      metrics.countNotification(delivered.outcome);
      tell(delivered, message);
    },
  });
  const announce: AnnounceDeadSecret = createDeadSecretAnnouncement({
    outbox,
    endpoints,
    runInTransaction,
    adminUrl,
    now: path.now,
    onMessage: () => worker.wake(),
  });
  metrics.register({
    name: 'postern_outbox_pending',
    help: 'Notifications that wait to be delivered',
    type: 'gauge',
    read: () => outbox.countPending(),
  });
  return {
    worker,
    announceDeadSecret: (tenant, secret) => {
      void announce(tenant, secret).catch((error: unknown) => log.error(error, 'announce a dead secret'));
    },
  };
}

/** One line when an endpoint begins to fail, one for each message that is given up; the rest is in the list of messages. */
function createTeller({ logger }: Log): (delivered: Delivered, message: TakenMessage) => void {
  const failing = new Set<string>();
  return ({ outcome, error }, { tenant, endpoint, id, type }) => {
    const about = { tenant, endpoint, message: id, type, error };
    const place = `${tenant} ${endpoint}`;
    switch (outcome) {
      case 'delivered':
        failing.delete(place);
        return;
      case 'retry':
        if (failing.has(place)) return;
        failing.add(place);
        logger.warn(about, 'a notification was not taken; it will be tried again');
        return;
      case 'dead':
        logger.warn(about, 'a notification is given up');
        return;
      case 'disabled':
        failing.delete(place);
        logger.warn(about, 'a receiver of notifications answered 410 and gets nothing more until it is enabled');
        return;
      case 'put_back':
        return;
    }
  };
}
