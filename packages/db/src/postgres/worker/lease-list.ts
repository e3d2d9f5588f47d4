import type { LeaseStore, OpenIntentStore } from '../../journal/journal-rows.ts';
import type { Statement } from '../statement-batch.ts';
import { longList } from './list-literals.ts';

const NEWEST = '(select coalesce(max(place), 0) from audit_entries)';
const INSERT = `insert into node_leases (lease, boot, node, lease_until, scanned_to) values ($1, $2, $3, $4, ${NEWEST})`;
const RENEW = `update node_leases set lease_until = $2, scanned_to = ${NEWEST} where lease = $1`;
const END = 'update node_leases set lease_until = 0 where lease = $1';
const REMOVE = 'delete from node_leases where lease = $1';
const INSERT_OPEN = `insert into open_intents (lease, log, seq) select * from unnest($1::int8[], $2::int8[], $3::int8[])`;
const REMOVE_OPEN = `delete from open_intents where (lease, log, seq) in (select * from unnest($1::int8[], $2::int8[], $3::int8[]))`;

interface LeaseImage {
  readonly boot: string;
  readonly until: number;
}

/** The lease of this boot, as it was read, and what is to become of it. */
export class LeaseList implements LeaseStore {
  #read: (LeaseImage & { readonly lease: number }) | undefined;
  /** It was not read: it is believed to be there. */
  #isAssumed = false;
  #spare = 0;
  #changes: Statement[] = [];
  #untils = new Map<number, number>();

  /** What is there; `undefined`: nothing. */
  know(read: { readonly lease: number; readonly boot: string; readonly until: number } | undefined): void {
    this.#isAssumed = false;
    this.#read = read;
    this.#changes = [];
    this.#untils = new Map(read === undefined ? [] : [[read.lease, read.until]]);
  }

  assume(): void {
    this.#isAssumed = true;
    this.#changes = [];
  }

  /** A number that no other lease has, for the next one; 0: there is none yet. */
  get spare(): number {
    return this.#spare;
  }

  addSpare(lease: number): void {
    this.#spare = lease;
  }

  /** When a lease that was read ends, as the transaction has it; null: it is not there. */
  untilOf(lease: number | null): number | null {
    return lease === null ? null : (this.#untils.get(lease) ?? null);
  }

  isThere(lease: number, boot: string, until: number): boolean {
    if (this.#isAssumed) return true;
    return this.#read?.lease === lease && this.#read.boot === boot && this.#read.until === until;
  }

  insert(boot: string, node: string, until: number): number {
    const lease = this.#spare;
    if (lease === 0) throw new Error('a lease is made where none was to be expected');
    this.#spare = 0;
    this.#add(INSERT, [lease, boot, node, until]);
    this.#untils.set(lease, until);
    return lease;
  }

  renew(lease: number, until: number): void {
    this.#add(RENEW, [lease, until]);
    this.#untils.set(lease, until);
  }

  end(lease: number): void {
    this.#add(END, [lease]);
  }

  remove(lease: number): void {
    this.#add(REMOVE, [lease]);
  }

  changes(): readonly Statement[] {
    return this.#changes;
  }

  stored(): void {
    this.#changes = [];
  }

  #add(sql: string, parameters: readonly unknown[]): void {
    this.#changes.push({ sql, parameters, isSilent: true });
  }
}

type OpenPlace = readonly [lease: number, log: number, seq: number];

export class OpenIntentList implements OpenIntentStore {
  #inserted: OpenPlace[] = [];
  #removed: OpenPlace[] = [];

  clear(): void {
    this.#inserted = [];
    this.#removed = [];
  }

  insert(lease: number, log: number, seq: number): void {
    this.#inserted.push([lease, log, seq]);
  }

  remove(lease: number, log: number, seq: number): void {
    this.#removed.push([lease, log, seq]);
  }

  mark(): () => void {
    const [inserted, removed] = [this.#inserted.length, this.#removed.length];
    return () => {
      this.#inserted.length = inserted;
      this.#removed.length = removed;
    };
  }

  /** Rows are inserted first: one may be removed in the transaction that has inserted it. */
  changes(): readonly Statement[] {
    return [...statementOf(INSERT_OPEN, this.#inserted), ...statementOf(REMOVE_OPEN, this.#removed)];
  }
}

function statementOf(sql: string, places: readonly OpenPlace[]): readonly Statement[] {
  if (places.length === 0) return [];
  return [
    {
      sql,
      parameters: [0, 1, 2].map((column) => longList(places.map((place) => place[column] as number))),
      isSilent: true,
    },
  ];
}
