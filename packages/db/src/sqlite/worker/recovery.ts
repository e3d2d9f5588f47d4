import type { StatementSync } from 'node:sqlite';
import { decodeEntry } from '@postern/audit';
import type { Entry } from '@postern/schemas';
import type { IntentPart } from './call-drafts.ts';
import type { Connection } from './connection.ts';

/** What one transaction takes on, so that calls do not wait long behind it. */
const RECOVERED_AT_ONCE = 500;
const SCANNED_AT_ONCE = 50_000;

export interface AbandonedIntent extends IntentPart {
  readonly tenant: string;
  readonly requestId: string;
  readonly log: number;
  readonly seq: number;
}

/** Whether there is more to do for a lease. */
export interface RecoveryStep {
  readonly intents: readonly AbandonedIntent[];
  readonly isLast: boolean;
}

/**
 * Closes what is open under a lease that is over: of an earlier boot of this node, or one that ran out. The first step takes the
 * lease from its boot, so that nothing is added to it any more. Then the log is read from where the lease was renewed last, and
 * what proves open joins `open_intents`; then the calls in there are closed. Each step is a transaction, and any node may take
 * the next.
 */
export class Recovery {
  readonly #node: string;
  readonly #boot: string;
  readonly #selectLeases: StatementSync;
  readonly #selectLease: StatementSync;
  readonly #moveOn: StatementSync;
  readonly #addOpened: StatementSync;
  readonly #dropClosed: StatementSync;
  readonly #selectOpen: StatementSync;
  readonly #dropOpen: StatementSync;
  readonly #dropLease: StatementSync;

  constructor(connection: Connection, { node, boot }: { node: string; boot: string }) {
    this.#node = node;
    this.#boot = boot;
    const isOver = '((node = ? and boot <> ?) or lease_until <= ?)';
    const scanned = 'from audit_entries where place > ? and place <= ?';
    this.#selectLeases = connection.prepare(`select lease from node_leases where lease <> ? and ${isOver}`);
    this.#selectLease = connection.prepare(
      `select scanned_to, (select coalesce(max(place), 0) from audit_entries) as newest
        from node_leases where lease = ? and ${isOver}`,
    );
    this.#moveOn = connection.prepare('update node_leases set lease_until = 0, scanned_to = ? where lease = ?');
    this.#addOpened = connection.prepare(
      `insert into open_intents (lease, log, seq) select lease, log, seq ${scanned} and lease = ?`,
    );
    this.#dropClosed = connection.prepare(
      `delete from open_intents where (lease, log, seq) in (select ?, log, closes ${scanned} and closes is not null)`,
    );
    this.#selectOpen = connection.prepare(
      `select l.tenant, o.log, o.seq, e.request_id, e.entry from open_intents o
        join audit_logs l on l.log = o.log
        join audit_entries e on e.log = o.log and e.seq = o.seq
        where o.lease = ? order by o.log, o.seq limit ${RECOVERED_AT_ONCE}`,
    );
    this.#dropOpen = connection.prepare('delete from open_intents where lease = ? and log = ? and seq = ?');
    this.#dropLease = connection.prepare('delete from node_leases where lease = ?');
  }

  /** Leases that are over. `own` is this boot's. */
  abandoned(now: number, own: number): readonly number[] {
    return this.#selectLeases.all(own, this.#node, this.#boot, now).map((row) => Number(row['lease']));
  }

  /** In a transaction: takes the next step for a lease. The caller closes the intents, which are not in `open_intents` any more. */
  step(lease: number, now: number): RecoveryStep {
    const row = this.#selectLease.get(lease, this.#node, this.#boot, now);
    // Meanwhile another node has done it, or its boot has renewed it.
    if (row === undefined) return { intents: [], isLast: true };
    const scannedTo = Number(row['scanned_to']);
    const newest = Number(row['newest']);
    const upTo = Math.min(newest, scannedTo + SCANNED_AT_ONCE);
    this.#moveOn.run(upTo, lease);
    this.#addOpened.run(scannedTo, upTo, lease);
    this.#dropClosed.run(lease, scannedTo, upTo);
    if (upTo < newest) return { intents: [], isLast: false };
    const intents = this.#selectOpen.all(lease).map(toAbandoned);
    for (const { log, seq } of intents) this.#dropOpen.run(lease, log, seq);
    const isLast = intents.length < RECOVERED_AT_ONCE;
    if (isLast) this.#dropLease.run(lease);
    return { intents, isLast };
  }
}

function toAbandoned(row: Record<string, unknown>): AbandonedIntent {
  const place = { log: Number(row['log']), seq: Number(row['seq']) };
  return {
    ...readable(String(row['entry'])),
    ...place,
    tenant: String(row['tenant']),
    requestId: String(row['request_id']),
  };
}

/** An intent that cannot be read any more is closed all the same: a node must not fail to start for it. */
function readable(entry: string): Partial<Entry> {
  try {
    return decodeEntry(entry);
  } catch {
    return {};
  }
}
