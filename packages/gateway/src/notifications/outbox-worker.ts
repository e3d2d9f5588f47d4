import type { OutboxPort, TakenMessage } from '@postern/db/ports';
import type { CallLog } from '../gateway.ts';
import { type Delivered, type DeliveryParts, deliverMessage } from './deliver-message.ts';

export interface OutboxWorkerOptions extends Omit<DeliveryParts, 'outbox' | 'random'> {
  readonly outbox: DeliveryParts['outbox'] & Pick<OutboxPort, 'take' | 'nextDueAt'>;
  readonly log: Pick<CallLog, 'error'>;
  /** Told of each try. */
  readonly onDelivered?: (delivered: Delivered, message: TakenMessage) => void;
  /** Default `Math.random`. */
  readonly random?: () => number;
  /** Endpoints that are sent to at one time: of all tenants (default 16), and of one of them (default 4). */
  readonly parallelMax?: number;
  readonly parallelOfTenantMax?: number;
}

const PARALLEL_MAX = 16;
const PARALLEL_OF_TENANT_MAX = 4;
/** Far above what a try may take: resolving, sending, writing. */
const LEASE_MS = 30_000;
/** A message that was added meanwhile is told by `wake`; this is for time-outs that Node cannot hold, and for clocks that jump. */
const SLEEP_MS_MAX = 60_000;
/** After the store failed. */
const AFTER_FAULT_MS = 5_000;
/** Tries under way at the end get so long before they are broken off and due again. */
const STOP_GRACE_MS = 2_000;
/** For changes that are told of before they are committed. */
const SOON_MS = 25;

/**
 * Takes messages out of the outbox that are due and delivers them: one at a time to each endpoint, so that one that hangs delays
 * nobody else's, and a bounded number at once, so that a tenant whose receivers all hang delays no other.
 *
 * States: asleep (a timer until the next one is due, none when nothing waits), taking (until no place is free or nothing is due),
 * stopped. A try that ends, `wake` and the timer all lead to taking. What a process that died had taken is due again when its lease
 * is over: at least once, never lost.
 */
export class OutboxWorker {
  readonly #options: OutboxWorkerOptions;
  readonly #parts: DeliveryParts;
  readonly #parallelMax: number;
  readonly #parallelOfTenantMax: number;
  /** By `{tenant} {endpoint}`. */
  readonly #busy = new Map<string, { readonly tenant: string; readonly ended: Promise<void> }>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #taking: Promise<void> | undefined;
  #isCalled = false;
  #isFaulty = false;
  #isStopped = false;

  constructor(options: OutboxWorkerOptions) {
    this.#options = options;
    this.#parts = { ...options, random: options.random ?? Math.random };
    this.#parallelMax = options.parallelMax ?? PARALLEL_MAX;
    this.#parallelOfTenantMax = options.parallelOfTenantMax ?? PARALLEL_OF_TENANT_MAX;
  }

  /** Looks now for what is due: messages were added, made due, or the clock went on. */
  wake(): void {
    if (this.#isStopped) return;
    this.#isCalled = true;
    this.#taking ??= this.#takeAll();
  }

  /** As `wake`, in a moment: for whoever adds messages in a transaction that is about to be committed. */
  wakeSoon(): void {
    if (this.#isStopped || this.#soon !== undefined) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.wake();
    }, SOON_MS).unref();
  }

  /** Takes nothing more; tries under way have 2 s to end, then they are broken off and due again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#soon);
    const grace = setTimeout(() => this.#stopping.abort(), STOP_GRACE_MS);
    await this.#taking;
    await Promise.all([...this.#busy.values()].map(({ ended }) => ended));
    clearTimeout(grace);
  }

  async #takeAll(): Promise<void> {
    clearTimeout(this.#timer);
    let sleepMs: number | undefined;
    try {
      while (this.#isCalled) {
        this.#isCalled = false;
        sleepMs = await this.#takeDue();
        this.#isFaulty = false;
      }
    } catch (error) {
      // Once, until it has worked again.
      if (!this.#isFaulty) this.#options.log.error(error, 'take notifications from the outbox');
      this.#isFaulty = true;
      sleepMs = AFTER_FAULT_MS;
    } finally {
      this.#taking = undefined;
    }
    if (sleepMs === undefined || this.#isStopped) return;
    this.#timer = setTimeout(() => this.wake(), Math.min(sleepMs, SLEEP_MS_MAX)).unref();
  }

  /** Begins what is due while there are places; returns how long to sleep, undefined: until `wake`. */
  async #takeDue(): Promise<number | undefined> {
    const { outbox, path } = this.#options;
    while (!this.#isStopped && this.#busy.size < this.#parallelMax) {
      const dueAt = await outbox.nextDueAt();
      if (dueAt === undefined) return undefined;
      const nowMs = path.now();
      if (dueAt > nowMs) return dueAt - nowMs;
      const busy = { busyEndpoints: [...this.#busy.keys()], busyTenants: this.#busyTenants() };
      const [message] = await outbox.take(nowMs, { leaseMs: LEASE_MS, limit: 1, ...busy });
      // All that is due is for those that are busy: the end of their tries comes back here.
      if (message === undefined) return this.#busy.size > 0 ? undefined : SOON_MS;
      this.#begin(message);
    }
    return undefined;
  }

  #busyTenants(): readonly string[] {
    const counts = new Map<string, number>();
    for (const { tenant } of this.#busy.values()) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    return [...counts].flatMap(([tenant, count]) => (count >= this.#parallelOfTenantMax ? [tenant] : []));
  }

  #begin(message: TakenMessage): void {
    const place = `${message.tenant} ${message.endpoint}`;
    const trying = deliverMessage(this.#parts, message, this.#stopping.signal).then(
      (delivered) => this.#options.onDelivered?.(delivered, message),
      (error: unknown) => this.#options.log.error(error, 'deliver a notification'),
    );
    const ended = trying.finally(() => {
      this.#busy.delete(place);
      this.wake();
    });
    this.#busy.set(place, { tenant: message.tenant, ended });
  }
}
