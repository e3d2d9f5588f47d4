import type { DbContext, OutboxMessage, OutboxPort } from '@postern/db/ports';
import type { NotificationEndpoint } from '@postern/schemas';
import { startTestGateway, TENANT, type TestGateway } from '../gateway.fixture.ts';
import type { PartsOptions } from '../gateway-parts.fixture.ts';
import type { Delivered } from './deliver-message.ts';
import { OutboxWorker } from './outbox-worker.ts';

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

export interface WorkerGround extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly outbox: OutboxPort;
  /** The worker's clock; tests move it. */
  readonly clock: { nowMs: number };
  /** How every try ended, in order. */
  readonly tries: readonly (Delivered & { readonly id: string })[];
  readonly faults: readonly unknown[];
  /** Of the last worker that was started. */
  readonly worker: OutboxWorker;
  startWorker(options?: Partial<ConstructorParameters<typeof OutboxWorker>[0]>): OutboxWorker;
  addEndpoint(url: string, change?: Partial<NotificationEndpoint>): Promise<string>;
  /** Adds a message, and wakes the worker if there is one. */
  add(endpoint: string, body?: string): Promise<OutboxMessage>;
  message(id: string): Promise<OutboxMessage>;
  /** The same secret in another tenant. */
  writeSecretOf(tenant: string, context: DbContext): Promise<void>;
  /** Resolves when `count` tries have ended. */
  triesEnded(count: number): Promise<void>;
}

/** A worker on a real store, vault and way out. */
export async function startWorkerGround(options: PartsOptions = {}): Promise<WorkerGround> {
  const gateway = await startTestGateway({ ...options, secrets: { 'webhook-secret': WEBHOOK_SECRET } });
  const { outbox, secrets, notificationEndpoints: endpoints } = gateway.repositories;
  const clock = { nowMs: Date.now() };
  const tries: (Delivered & { id: string })[] = [];
  const faults: unknown[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let worker: OutboxWorker | undefined;
  const path = { ...gateway.gateway, now: () => clock.nowMs };

  return {
    gateway,
    outbox,
    clock,
    tries,
    faults,
    get worker() {
      if (worker === undefined) throw new Error('no worker was started');
      return worker;
    },
    startWorker(change = {}) {
      worker = new OutboxWorker({
        path,
        outbox,
        endpoints,
        secrets,
        cache: gateway.secrets,
        random: () => 0.5,
        log: { error: (error) => faults.push(error) },
        onDelivered: (delivered, { id }) => {
          tries.push({ ...delivered, id });
          for (const { resolve } of waiting.filter(({ count }) => tries.length >= count)) resolve();
        },
        ...change,
      });
      worker.wake();
      return worker;
    },
    async addEndpoint(url, change = {}) {
      const spec: NotificationEndpoint = {
        url,
        secret: 'webhook-secret',
        events: ['approval.created'],
        unsafeAllowAddresses: ['127.0.0.1/32'],
        ...change,
      };
      return (await endpoints.create(TENANT, spec, 'config')).id;
    },
    async add(endpoint, body = '{"type":"approval.created"}') {
      const message = { tenant: TENANT, endpoint, type: 'approval.created', body };
      const [added] = await outbox.add([message], clock.nowMs);
      worker?.wake();
      return added as OutboxMessage;
    },
    async message(id) {
      const found = await outbox.getById(TENANT, id);
      if (found === undefined) throw new Error(`no message ${id}`);
      return found;
    },
    async writeSecretOf(tenant, context) {
      const name = 'webhook-secret';
      const envelope = gateway.vault.seal({ tenant, name, version: 1 }, Buffer.from(WEBHOOK_SECRET));
      const version = { tenant, name, version: 1, kekId: envelope.kekId, envelope: JSON.stringify(envelope) };
      await secrets.createSecretEnvelopeVersion(version, { origin: 'api' }, context);
    },
    triesEnded: (count) =>
      tries.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    async [Symbol.asyncDispose]() {
      await worker?.stop();
      await gateway.close();
    },
  };
}
