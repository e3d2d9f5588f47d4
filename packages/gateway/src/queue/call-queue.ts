import type { QueuedCallsPort, RunInTransaction, TakenCall } from '@postern/db/ports';
import type { Gateway } from '../gateway.ts';

export interface CallQueueOptions {
  readonly calls: QueuedCallsPort;
  readonly runInTransaction: RunInTransaction;
  /** Until when a taken call is this process's without another sign of life. Default 5 s; renewed while the call runs. */
  readonly leaseMs?: number | undefined;
  /** How often calls are looked for that another process has queued, or left behind. Default 5 s. */
  readonly pollMs?: number | undefined;
}

const LEASE_MS = 5_000;
const POLL_MS = 5_000;
/** Something is due that cannot be taken, because as many calls of its integration run as may. */
const FULL_MS = 1_000;
/** Of this process. Each may have a body and an answer of several MiB. */
const RUNNING_MAX = 64;

/**
 * The calls that nobody waits for: taken oldest first, four of an integration at a time over all processes, and run through the stages
 * as their agent's call.
 *
 * A call is under this process's lease while it runs. When that runs out, because the process is gone, another takes the call; whether
 * it is sent is for its claim to say, which knows of every dispatch. Nothing is sent twice, and what nobody knows is said to be unknown.
 */
export class CallQueue {
  readonly calls: QueuedCallsPort;
  readonly runInTransaction: RunInTransaction;
  readonly #leaseMs: number;
  readonly #pollMs: number;
  /** By tenant and id. */
  readonly #running = new Map<string, Promise<void>>();
  #loop: Promise<void> | undefined;
  #isStopping = false;
  /** Word came since the queue was last looked at. */
  #isWoken = false;
  #wakeSleeper: (() => void) | undefined;
  /** The store was told to be at fault, and has not been well since. */
  #isFailing = false;

  constructor({ calls, runInTransaction, leaseMs = LEASE_MS, pollMs = POLL_MS }: CallQueueOptions) {
    this.calls = calls;
    this.runInTransaction = runInTransaction;
    this.#leaseMs = leaseMs;
    this.#pollMs = pollMs;
  }

  /** Once the gateway serves. */
  start(gateway: Gateway): void {
    this.#loop ??= this.#work(gateway);
  }

  /** A call was queued, or one has ended and left its place. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeSleeper?.();
  }

  /** Takes nothing more, and resolves when what runs has ended, or after `graceMs`. What was not sent by then waits for the next start. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.wake();
    await this.#loop;
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(this.#running.values()), grace]);
    clearTimeout(timer);
  }

  async #work(gateway: Gateway): Promise<void> {
    while (!this.#isStopping) {
      this.#isWoken = false;
      const waitMs = await this.#takeSome(gateway);
      if (waitMs > 0 && !this.#isWoken && !this.#isStopping) await this.#sleep(waitMs);
    }
  }

  /** Begins what may begin. Returns how long there is nothing more to do without another word. */
  async #takeSome(gateway: Gateway): Promise<number> {
    const limit = RUNNING_MAX - this.#running.size;
    if (limit <= 0) return this.#pollMs;
    try {
      const taken = await this.calls.take(gateway.now(), { leaseMs: this.#leaseMs, limit });
      for (const call of taken) this.#begin(gateway, call);
      this.#isFailing = false;
      if (taken.length > 0) return 0;
      const dueAt = await this.calls.nextDueAt();
      if (dueAt === undefined) return this.#pollMs;
      const inMs = dueAt - gateway.now();
      return inMs <= 0 ? FULL_MS : Math.min(inMs, this.#pollMs);
    } catch (error) {
      if (!this.#isFailing) gateway.log.error(error, 'take queued calls');
      this.#isFailing = true;
      return FULL_MS;
    }
  }

  #begin(gateway: Gateway, call: TakenCall): void {
    const key = `${call.tenant}\n${call.id}`;
    // Its lease ran out while this process was held up; the run that has lost it is not at its end yet.
    const before = this.#running.get(key);
    const run = (before ?? Promise.resolve())
      .then(() => this.#run(gateway, call))
      .catch((error: unknown) => gateway.log.error(error, 'run a queued call', call.requestId))
      .finally(() => {
        if (this.#running.get(key) === run) this.#running.delete(key);
        this.wake();
      });
    this.#running.set(key, run);
  }

  async #run(gateway: Gateway, call: TakenCall): Promise<void> {
    if (this.#isStopping) {
      await this.calls.putBack(call, gateway.now());
      return;
    }
    // Few processes have calls to run: what does it is loaded with the first.
    const { runTakenCall } = await import('./run-taken-call.ts');
    await runTakenCall(gateway, call, { leaseMs: this.#leaseMs, isStopping: () => this.#isStopping });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakeSleeper = undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms).unref();
      this.#wakeSleeper = wake;
    });
  }
}
