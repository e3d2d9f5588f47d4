import type { LeaseStore } from './journal-rows.ts';

export interface LeaseHolder {
  readonly node: string;
  readonly boot: string;
  readonly leaseMs: number;
}

export interface HeldLease {
  readonly lease: number;
  readonly until: number;
}

/** Entries after which a lease is renewed early, so that its recovery has little to read. */
const ENTRIES_MAX = 50_000;

/**
 * The sign of life of this boot, and the word on whose its calls are: while the row is as this boot wrote it, no one else has
 * closed any of them. Renewing it says anew from which place on the log must be read to find them.
 */
export class Lease {
  readonly #rows: LeaseStore;
  readonly #holder: LeaseHolder;
  /** As committed. */
  #held: HeldLease | undefined;
  /** As it will be when the open transaction is committed. */
  #next: HeldLease | undefined;
  #isChanged = false;
  #entries = 0;

  constructor(rows: LeaseStore, holder: LeaseHolder) {
    this.#rows = rows;
    this.#holder = holder;
  }

  /** Its number; 0 when there is none. */
  get number(): number {
    return (this.#isChanged ? this.#next : this.#held)?.lease ?? 0;
  }

  get held(): HeldLease | undefined {
    return this.#held;
  }

  /** As it was made outside of transactions. */
  is(held: HeldLease): void {
    if (this.#held?.lease === held.lease) this.#held = held;
  }

  /** There is none, a third of it is used up, or much was written under it. */
  isDue(now: number): boolean {
    if (this.#held === undefined || this.#entries >= ENTRIES_MAX) return true;
    return this.#held.until - now < (this.#holder.leaseMs * 2) / 3;
  }

  /** At the start of a transaction: false when another node took this lease, and with it all calls made under it. */
  isStillOurs(): boolean {
    if (this.#held === undefined) return true;
    if (this.#rows.isThere(this.#held.lease, this.#holder.boot, this.#held.until)) return true;
    this.#held = undefined;
    return false;
  }

  /** Takes it, or keeps it for another term. This and what follows: in a transaction, at whose end `committed` or `rolledBack`. */
  renew(now: number): void {
    const { boot, node, leaseMs } = this.#holder;
    const until = now + leaseMs;
    if (this.#held === undefined) {
      this.#change({ lease: this.#rows.insert(boot, node, until), until });
      return;
    }
    this.#rows.renew(this.#held.lease, until);
    this.#change({ ...this.#held, until });
  }

  /** Gives it up when nothing is open under it; else whoever recovers next may close that. */
  release(isUsed: boolean): void {
    if (this.#held === undefined) return;
    if (isUsed) this.#rows.end(this.#held.lease);
    else this.#rows.remove(this.#held.lease);
    this.#change(undefined);
  }

  /** What the open transaction makes of it; undefined: nothing. */
  change(): { readonly to: HeldLease | undefined } | undefined {
    return this.#isChanged ? { to: this.#next } : undefined;
  }

  committed(): void {
    if (!this.#isChanged) return;
    this.#held = this.#next;
    this.#entries = 0;
    this.#isChanged = false;
  }

  /** Entries that are committed since. */
  wrote(entries: number): void {
    this.#entries += entries;
  }

  rolledBack(): void {
    this.#isChanged = false;
  }

  #change(next: HeldLease | undefined): void {
    this.#next = next;
    this.#isChanged = true;
  }
}
