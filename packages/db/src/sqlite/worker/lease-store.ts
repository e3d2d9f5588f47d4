import type { StatementSync } from 'node:sqlite';
import type { LeaseStore, OpenIntentStore } from '../../journal/journal-rows.ts';
import type { Connection } from './connection.ts';

const NEWEST = '(select coalesce(max(place), 0) from audit_entries)';

/** The leases of boots, in the transaction that is open on the connection. */
export class SqliteLeaseStore implements LeaseStore {
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #renew: StatementSync;
  readonly #end: StatementSync;
  readonly #remove: StatementSync;

  constructor(connection: Connection) {
    this.#select = connection.prepare('select 1 from node_leases where lease = ? and boot = ? and lease_until = ?');
    this.#insert = connection.prepare(
      `insert into node_leases (boot, node, lease_until, scanned_to) values (?, ?, ?, ${NEWEST})`,
    );
    this.#renew = connection.prepare(`update node_leases set lease_until = ?, scanned_to = ${NEWEST} where lease = ?`);
    this.#end = connection.prepare('update node_leases set lease_until = 0 where lease = ?');
    this.#remove = connection.prepare('delete from node_leases where lease = ?');
  }

  isThere(lease: number, boot: string, until: number): boolean {
    return this.#select.get(lease, boot, until) !== undefined;
  }

  insert(boot: string, node: string, until: number): number {
    return Number(this.#insert.run(boot, node, until).lastInsertRowid);
  }

  renew(lease: number, until: number): void {
    this.#renew.run(until, lease);
  }

  end(lease: number): void {
    this.#end.run(lease);
  }

  remove(lease: number): void {
    this.#remove.run(lease);
  }
}

export class SqliteOpenIntentStore implements OpenIntentStore {
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;

  constructor(connection: Connection) {
    this.#insert = connection.prepare('insert into open_intents (lease, log, seq) values (?, ?, ?)');
    this.#remove = connection.prepare('delete from open_intents where lease = ? and log = ? and seq = ?');
  }

  insert(lease: number, log: number, seq: number): void {
    this.#insert.run(lease, log, seq);
  }

  remove(lease: number, log: number, seq: number): void {
    this.#remove.run(lease, log, seq);
  }
}
