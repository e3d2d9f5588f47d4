import { decodeEntry } from '@postern/audit';
import type { Entry } from '@postern/schemas';
import type { IntentPart } from './call-drafts.ts';
import type { LeaseHolder } from './lease.ts';

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

/** A statement in the SQL of all engines, with `?` for its values. */
export interface RecoveryStatement {
  readonly sql: string;
  readonly values: readonly (string | number)[];
  /** Many rows are compared with many, of which an engine that guesses how many there are has no idea. */
  readonly isBulky?: boolean;
}

/** Gives out statements, and is told their rows: whoever runs it waits for them or not, as the engine has it. */
export type Asking<Result> = Generator<RecoveryStatement, Result, readonly Record<string, unknown>[]>;

const IS_OVER = '((node = ? and boot <> ?) or lease_until <= ?)';
const SCANNED = 'from audit_entries where place > ? and place <= ?';

const SELECT_LEASES = `select lease from node_leases where lease <> ? and ${IS_OVER} order by lease`;
/** The row is ours from here on, so nobody adds to it what the following statements do not see. */
const TAKE_LEASE = `update node_leases set lease_until = 0 where lease = ? and ${IS_OVER} returning scanned_to`;
const SELECT_NEWEST = 'select coalesce(max(place), 0) as newest from audit_entries';
const MOVE_ON = 'update node_leases set scanned_to = ? where lease = ?';
const ADD_OPENED = `insert into open_intents (lease, log, seq) select lease, log, seq ${SCANNED} and lease = ?`;
const DROP_CLOSED = `delete from open_intents where lease = ? and (log, seq) in (select log, closes ${SCANNED} and closes is not null)`;
const SELECT_OPEN = `select l.tenant, o.log, o.seq, e.request_id, e.entry from open_intents o
  join audit_logs l on l.log = o.log
  join audit_entries e on e.log = o.log and e.seq = o.seq
  where o.lease = ? order by o.log, o.seq limit ${RECOVERED_AT_ONCE}`;
const DROP_OPEN = 'delete from open_intents where lease = ? and (log < ? or (log = ? and seq <= ?))';
const DROP_LEASE = 'delete from node_leases where lease = ?';

/** Leases that are over. `own` is this boot's. */
export function* findAbandoned({ node, boot }: LeaseHolder, now: number, own: number): Asking<readonly number[]> {
  const rows = yield { sql: SELECT_LEASES, values: [own, node, boot, now] };
  return rows.map((row) => Number(row['lease']));
}

/**
 * Closes what is open under a lease that is over: of an earlier boot of this node, or one that ran out. Each step is a transaction, and
 * any node may take the next. The first takes the lease from its boot, so that nothing is added to it any more. Then the log is
 * read from where the lease was renewed last, and what proves open joins `open_intents`; then the calls in there are closed: by the
 * caller, in the same transaction; they are not in `open_intents` any more.
 */
export function* recoverSome({ node, boot }: LeaseHolder, now: number, lease: number): Asking<RecoveryStep> {
  const [taken] = yield { sql: TAKE_LEASE, values: [lease, node, boot, now] };
  // Meanwhile another node has done it, or its boot has renewed it.
  if (taken === undefined) return { intents: [], isLast: true };
  const [end] = yield { sql: SELECT_NEWEST, values: [] };
  const scannedTo = Number(taken['scanned_to']);
  const newest = Number(end?.['newest']);
  const upTo = Math.min(newest, scannedTo + SCANNED_AT_ONCE);
  yield { sql: MOVE_ON, values: [upTo, lease] };
  yield { sql: ADD_OPENED, values: [scannedTo, upTo, lease] };
  yield { sql: DROP_CLOSED, values: [lease, scannedTo, upTo], isBulky: true };
  if (upTo < newest) return { intents: [], isLast: false };
  const intents = (yield { sql: SELECT_OPEN, values: [lease] }).map(toAbandoned);
  const last = intents.at(-1);
  if (last !== undefined) yield { sql: DROP_OPEN, values: [lease, last.log, last.log, last.seq] };
  const isLast = intents.length < RECOVERED_AT_ONCE;
  if (isLast) yield { sql: DROP_LEASE, values: [lease] };
  return { intents, isLast };
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
