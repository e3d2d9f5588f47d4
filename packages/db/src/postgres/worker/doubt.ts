import type { JournalAnswer } from '../../journal/batch.ts';
import type { HeldLease } from '../../journal/lease.ts';
import { DbError } from '../../ports/db-error.ts';
import type { Statement } from '../statement-batch.ts';
import { plain } from '../tenant-statements.ts';
import { LOCK_TOGETHER } from '../write-lock.ts';
import type { AssumedLease, EntryPlace } from './entry-list.ts';
import { locksOf } from './load-rows.ts';
import type { Session } from './session.ts';

/** A transaction of which nobody knows whether it was committed, and what tells it. */
export interface Doubt {
  /** Its first entry. */
  readonly first: EntryPlace | undefined;
  /** What it made of the lease. */
  readonly lease: { readonly number: number; readonly to: HeldLease | undefined } | undefined;
  /** The lease on whose condition it inserts, when it had read and locked nothing before. */
  readonly assumed: AssumedLease | undefined;
  /** Of a batch. */
  readonly answer: JournalAnswer | undefined;
}

/** Thrown when a transaction is in doubt. */
export class InDoubt extends DbError {
  constructor(why: string) {
    super('unavailable', why);
  }
}

const READ_ENTRY = 'select entry from audit_entries where log = $1 and seq = $2';
const READ_LEASE = 'select lease_until from node_leases where lease = $1 for update';
/** May be done again, should nobody learn that it was. */
const SHIFT_LEASE = `update node_leases set lease_until = $4 where lease = $1 and boot = $2 and lease_until in ($3, $4)`;

/** The lease as `wasCommitted` leaves it. */
export function shifted({ lease, until }: AssumedLease): HeldLease {
  return { lease, until: until + 1 };
}

/**
 * Whether the transaction was committed; if not, it cannot be any more. Rejects while that is not known.
 *
 * One that has read before it wrote holds the lock of its logs, so whoever gets that lock comes after its end. One that assumed what it
 * did not read may still lie in the server's inbox, with no lock: its lease is shifted, and with it falls the condition of its insert. Then
 * the place of its first entry tells whether it came before that.
 */
export async function wasCommitted(session: Session, { first, lease, assumed }: Doubt): Promise<boolean> {
  if (first === undefined) return lease !== undefined && leaseIsSo(session, lease);
  const answers = await session.run([
    plain(LOCK_TOGETHER),
    ...(assumed === undefined ? [] : [shiftingOf(assumed)]),
    ...locksOf([first.log], undefined),
    { sql: READ_ENTRY, parameters: [first.log, first.seq] },
  ]);
  return answers.at(-1)?.rows[0]?.['entry'] === first.text;
}

function shiftingOf(assumed: AssumedLease): Statement {
  const { lease, boot, until } = assumed;
  return { sql: SHIFT_LEASE, parameters: [lease, boot, until, shifted(assumed).until], isSilent: true };
}

async function leaseIsSo(session: Session, { number, to }: NonNullable<Doubt['lease']>): Promise<boolean> {
  const [found] = await session.run([{ sql: READ_LEASE, parameters: [number] }]);
  const until = found?.rows[0]?.['lease_until'];
  return to === undefined ? until === undefined || until === 0 : until === to.until;
}
