import type { EntryStore, LogEnd, RowMarks } from '../../journal/journal-rows.ts';
import { DbError } from '../../ports/db-error.ts';
import type { Statement } from '../statement-batch.ts';
import { isStorable, longList, textList } from './list-literals.ts';

/** The columns of new rows, each a list of PostgreSQL's own text form. Entries hold no line feed: RFC 8785 escapes it. */
const COLUMNS = `insert into audit_entries (log, seq, request_key, request_id, lease, closes, entry)
  select * from unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::int8[], $6::int8[], string_to_array($7, E'\\n'))`;

/** All or nothing: only where the logs end as was assumed, and the lease is still there as was assumed. */
const GUARDED = `${COLUMNS}
  where (select count(*) from unnest($8::int8[], $9::int8[]) as e (log, seq)
      where e.seq = coalesce((select max(a.seq) from audit_entries a where a.log = e.log), -1)) = $10
    and exists (select from node_leases where lease = $11 and boot = $12 and lease_until = $13)`;

/** A lease of which one assumes that it is there. */
export interface AssumedLease {
  readonly lease: number;
  readonly boot: string;
  readonly until: number;
}

/** An entry of which one can tell whether it was stored. */
export interface EntryPlace {
  readonly log: number;
  readonly seq: number;
  readonly text: string;
}

const NOT_READ = -1;

/** New entries of one transaction, and where the logs end that it was told of. */
export class EntryList implements EntryStore {
  /** By tenant; as stored. */
  readonly #ends = new Map<string, LogEnd>();
  /** When ends were read last they were where we had left them. */
  #isAlone = true;
  #logs: number[] = [];
  #seqs: number[] = [];
  #keys: (number | null)[] = [];
  #requestIds: (string | null)[] = [];
  #leases: (number | null)[] = [];
  #closes: (number | null)[] = [];
  #texts: string[] = [];
  #first: EntryPlace | undefined;

  /** Somebody has added to the logs. */
  doNotAssume(): void {
    this.#isAlone = false;
  }

  begin(): void {
    this.drop();
    this.#first = undefined;
  }

  /** Nothing is known of the logs. */
  clear(): void {
    this.drop();
    this.#ends.clear();
  }

  /** Which log is a tenant's; its end is read before anything is added to it. */
  knowLog(tenant: string, log: number): void {
    this.#ends.set(tenant, { log, seq: NOT_READ });
  }

  /** Where logs end, read in this transaction. */
  knowEnds(ends: readonly { readonly tenant: string; readonly seq: number }[]): void {
    this.#isAlone = true;
    for (const { tenant, seq } of ends) {
      const end = this.#ends.get(tenant);
      if (end === undefined) continue;
      if (end.seq !== seq && end.seq !== NOT_READ) this.#isAlone = false;
      end.seq = seq;
    }
  }

  logOf(tenant: string): number | undefined {
    return this.#ends.get(tenant)?.log;
  }

  /** It is known where these tenants' logs end, unless somebody else has added to them; and last time nobody had. */
  mayAssume(tenants: ReadonlySet<string>): boolean {
    if (!this.#isAlone) return false;
    for (const tenant of tenants) {
      const end = this.#ends.get(tenant);
      if (end === undefined || end.seq === NOT_READ) return false;
    }
    return true;
  }

  readEnd(tenant: string): LogEnd {
    const end = this.#ends.get(tenant);
    if (end === undefined) throw new DbError('invalid', 'audit_logs.tenant is no name that PostgreSQL can hold');
    return { ...end };
  }

  add({ log, seq }: LogEnd, text: string, key: number | null, { requestId, lease, closes }: RowMarks): void {
    if (requestId !== undefined && !isStorable(requestId)) {
      throw new DbError('invalid', 'audit_entries.request_id is no text that PostgreSQL can hold');
    }
    this.#logs.push(log);
    this.#seqs.push(seq);
    this.#keys.push(key);
    this.#requestIds.push(requestId ?? null);
    this.#leases.push(lease ?? null);
    this.#closes.push(closes ?? null);
    this.#texts.push(text);
  }

  /** `changes` tells how. */
  write(): void {}

  drop(): void {
    if (this.#texts.length === 0) return;
    this.#logs = [];
    this.#seqs = [];
    this.#keys = [];
    this.#requestIds = [];
    this.#leases = [];
    this.#closes = [];
    this.#texts = [];
  }

  /** Of the transaction. */
  get first(): EntryPlace | undefined {
    if (this.#first !== undefined) return this.#first;
    const [log, seq, text] = [this.#logs[0], this.#seqs[0], this.#texts[0]];
    return log === undefined || seq === undefined || text === undefined ? undefined : { log, seq, text };
  }

  /** Logs to which entries are added. */
  get logs(): readonly number[] {
    return [...this.#startsByLog().keys()].sort((left, right) => left - right);
  }

  changes(): readonly Statement[] {
    return this.#texts.length === 0 ? [] : [{ sql: COLUMNS, parameters: this.#columns(), isSilent: true }];
  }

  /** As `changes`, for one who has not read where the logs end, nor whose the lease is. No row is inserted where that is not so. */
  changesAssuming({ lease, boot, until }: AssumedLease): Statement {
    const starts = this.#startsByLog();
    const ends = [...starts.values()].map((seq) => seq - 1);
    const guards = [longList([...starts.keys()]), longList(ends), starts.size, lease, boot, until];
    return { sql: GUARDED, parameters: [...this.#columns(), ...guards], isSilent: true };
  }

  /** What was added is stored: the logs end behind it. */
  stored(): void {
    this.#first = this.first;
    const ends = new Map<number, number>();
    for (const [index, log] of this.#logs.entries()) ends.set(log, (this.#seqs[index] as number) + 1);
    for (const end of this.#ends.values()) end.seq = ends.get(end.log) ?? end.seq;
    this.drop();
  }

  #columns(): readonly string[] {
    return [
      longList(this.#logs),
      longList(this.#seqs),
      longList(this.#keys),
      textList(this.#requestIds),
      longList(this.#leases),
      longList(this.#closes),
      this.#texts.join('\n'),
    ];
  }

  /** The first place of each log. */
  #startsByLog(): Map<number, number> {
    const starts = new Map<number, number>();
    for (const [index, log] of this.#logs.entries()) {
      if (!starts.has(log)) starts.set(log, this.#seqs[index] as number);
    }
    return starts;
  }
}
