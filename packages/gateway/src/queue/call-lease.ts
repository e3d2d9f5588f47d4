import type { TakenCall } from '@postern/db/ports';
import type { Gateway } from '../gateway.ts';

/** Renewed so often in its time: one that fails leaves room for another. */
const RENEWALS = 3;

/** A taken call stays this process's while it runs, and as long as the store says so. */
export class CallLease {
  readonly #gateway: Gateway;
  readonly #call: TakenCall;
  readonly #leaseMs: number;
  readonly #timer: NodeJS.Timeout;
  #until: number;

  constructor(gateway: Gateway, call: TakenCall, leaseMs: number) {
    this.#gateway = gateway;
    this.#call = call;
    this.#leaseMs = leaseMs;
    this.#until = call.leaseUntil;
    this.#timer = setInterval(() => void this.#renew(), leaseMs / RENEWALS).unref();
  }

  /** False once another process may have taken the call: then it must not begin to be sent. */
  get isHeld(): boolean {
    return this.#gateway.now() < this.#until;
  }

  /** Before what must not begin late: renews one that is not fresh any more. False when it is lost. */
  async refresh(): Promise<boolean> {
    const leftMs = this.#until - this.#gateway.now();
    if (leftMs < this.#leaseMs * (1 - 1 / RENEWALS)) await this.#renew();
    return this.isHeld;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    const until = this.#gateway.now() + this.#leaseMs;
    try {
      this.#until = (await this.#gateway.queue.calls.renew(this.#call, until)) ? until : 0;
    } catch (error) {
      this.#gateway.log.error(error, 'renew a queued call', this.#call.requestId);
    }
  }
}
