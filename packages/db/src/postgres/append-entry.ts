import { encodeEntryText } from '@postern/audit';
import type { Entry, EntryDraft } from '@postern/schemas';
import { makeEntryId } from '../entry-id.ts';
import { DbError } from '../ports/db-error.ts';
import { requestKey } from '../request-key.ts';
import type { Answer, Statement } from './statement-batch.ts';
import { tenantOf } from './tenant-statements.ts';

/** Runs statements in the transaction that the entry belongs to. */
type Run = (statements: readonly Statement[]) => Promise<readonly Answer[]>;

const MAKE_LOG = 'insert into audit_logs (tenant) values ($1) on conflict (tenant) do nothing';
const LOCK_LOG = 'select log from audit_logs where tenant = $1 for update';
/** A statement of its own, after the lock: so it sees what the lock was waited for. */
const READ_NEWEST =
  'select max(seq) as newest from audit_entries where log = (select log from audit_logs where tenant = $1)';
const INSERT = 'insert into audit_entries (log, seq, request_key, entry) values ($1, $2, $3, $4)';

/** Numbers, encodes and inserts entries: two round trips each. Here on the main thread, for it is the control plane that appends so. */
export function createEntryAppender(run: Run): (draft: EntryDraft) => Promise<Entry> {
  let tail: Promise<unknown> = Promise.resolve();
  return (draft) => {
    const appending = tail.then(() => append(run, draft));
    tail = appending.catch(() => undefined);
    return appending;
  };
}

async function append(run: Run, draft: EntryDraft): Promise<Entry> {
  const { tenant } = draft;
  if (tenant === '') throw new DbError('invalid', 'audit_entries.tenant is empty');
  const { log, seq } = await lockEnd(run, tenant);
  const entry: Entry = { ...draft, v: 1, id: makeEntryId(draft.at, seq), seq };
  const key = entry.requestId === undefined ? null : requestKey(entry.requestId);
  await run([tenantOf(tenant), { sql: INSERT, parameters: [log, seq, key, encode(entry)], isSilent: true }]);
  return entry;
}

/** Where the tenant's log goes on. It begins here when there is none. */
async function lockEnd(run: Run, tenant: string): Promise<{ log: number; seq: number }> {
  const parameters = [tenant];
  const [, , locked, newest] = await run([
    tenantOf(tenant),
    { sql: MAKE_LOG, parameters, isSilent: true },
    { sql: LOCK_LOG, parameters },
    { sql: READ_NEWEST, parameters },
  ]);
  const log = locked?.rows[0]?.['log'];
  const seq = newest?.rows[0]?.['newest'];
  if (typeof log !== 'number') throw new DbError('unavailable', 'audit_logs.log cannot be read');
  return { log, seq: typeof seq === 'number' ? seq + 1 : 0 };
}

function encode(entry: Entry): string {
  try {
    return encodeEntryText(entry);
  } catch (error) {
    throw new DbError('invalid', 'audit_entries.entry cannot be encoded', error);
  }
}
