import type { StatementSync } from 'node:sqlite';
import type { Connection } from './connection.ts';

export interface LeaseHolder {
  readonly node: string;
  readonly boot: string;
  readonly leaseMs: number;
}

interface HeldLease {
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
  readonly #holder: LeaseHolder;
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #renew: StatementSync;
  readonly #remove: StatementSync;
  readonly #giveBack: StatementSync;
  /** As committed. */
  #held: HeldLease | undefined;
  /** As it will be when the open transaction is committed. */
  #next: HeldLease | undefined;
  #isChanged = false;
  #entries = 0;

  constructor(connection: Connection, holder: LeaseHolder) {
    this.#holder = holder;
    const newest = '(select coalesce(max(place), 0) from audit_entries)';
    this.#select = connection.prepare('select 1 from node_leases where lease = ? and boot = ? and lease_until = ?');
    this.#insert = connection.prepare(
      `insert into node_leases (boot, node, lease_until, scanned_to) values (?, ?, ?, ${newest})`,
    );
    this.#renew = connection.prepare(`update node_leases set lease_until = ?, scanned_to = ${newest} where lease = ?`);
    this.#remove = connection.prepare('delete from node_leases where lease = ?');
    this.#giveBack = connection.prepare('update node_leases set lease_until = 0 where lease = ?');
  }

  /** Its number; 0 when there is none. */
  get number(): number {
    return (this.#isChanged ? this.#next : this.#held)?.lease ?? 0;
  }

  /** There is none, a third of it is used up, or much was written under it. */
  isDue(now: number): boolean {
    if (this.#held === undefined || this.#entries >= ENTRIES_MAX) return true;
    return this.#held.until - now < (this.#holder.leaseMs * 2) / 3;
  }

  /** At the start of a transaction: false when another node took this lease, and with it all calls made under it. */
  isStillOurs(): boolean {
    if (this.#held === undefined) return true;
    const { lease, until } = this.#held;
    if (this.#select.get(lease, this.#holder.boot, until) !== undefined) return true;
    this.#held = undefined;
    return false;
  }

  /** Takes it, or keeps it for another term. This and what follows: in a transaction, at whose end `committed` or `rolledBack`. */
  renew(now: number): void {
    const { boot, node, leaseMs } = this.#holder;
    const until = now + leaseMs;
    if (this.#held === undefined) {
      this.#change({ lease: Number(this.#insert.run(boot, node, until).lastInsertRowid), until });
      return;
    }
    this.#renew.run(until, this.#held.lease);
    this.#change({ ...this.#held, until });
  }

  /** Gives it up when nothing is open under it; else whoever recovers next may close that. */
  release(isUsed: boolean): void {
    if (this.#held === undefined) return;
    (isUsed ? this.#giveBack : this.#remove).run(this.#held.lease);
    this.#change(undefined);
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
