import type { StatementSync } from 'node:sqlite';
import type { Connection } from './connection.ts';

export interface LeaseHolder {
  readonly node: string;
  readonly boot: string;
  readonly leaseMs: number;
}

/** The sign of life of this boot. While it holds, no other node closes this boot's calls. */
export class Lease {
  readonly #holder: LeaseHolder;
  readonly #upsert: StatementSync;
  readonly #remove: StatementSync;
  /** As committed; 0 before the first. */
  #until = 0;

  constructor(connection: Connection, holder: LeaseHolder) {
    this.#holder = holder;
    this.#upsert = connection.prepare(
      'insert into node_leases (boot, node, lease_until) values (?, ?, ?) on conflict (boot) do update set lease_until = excluded.lease_until',
    );
    this.#remove = connection.prepare('delete from node_leases where boot = ?');
  }

  /** A third of the lease is used up. */
  isDue(now: number): boolean {
    return this.#until - now < (this.#holder.leaseMs * 2) / 3;
  }

  /** Writes the lease when it is due, in the transaction that is open; call `taken` with the result once that is committed. */
  renewWhenDue(now: number): number {
    if (!this.isDue(now)) return this.#until;
    const until = now + this.#holder.leaseMs;
    this.#upsert.run(this.#holder.boot, this.#holder.node, until);
    return until;
  }

  taken(until: number): void {
    this.#until = until;
  }

  release(): void {
    this.#remove.run(this.#holder.boot);
    this.#until = 0;
  }
}
