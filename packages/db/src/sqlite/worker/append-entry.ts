import type { StatementSync } from 'node:sqlite';
import { decodeEntry, encodeEntryText } from '@postern/audit';
import type { Entry, EntryDraft } from '@postern/schemas';
import { makeEntryId } from '../../entry-id.ts';
import { DbError } from '../../ports/db-error.ts';
import type { Connection } from './connection.ts';

/** Takes `count` places in the tenant's log; returns the first. In the caller's transaction, so that no place stays empty. */
export function createNumbering(connection: Connection): (tenant: string, count: number) => number {
  const statement = connection.prepare(
    'insert into audit_logs (tenant, size) values (?, ?) on conflict (tenant) do update set size = size + excluded.size returning size',
  );
  return (tenant, count) => {
    const row = statement.get(tenant, count);
    return Number(row?.['size']) - count;
  };
}

/** A text this long may have been shortened by the encoder; then the columns are derived from what was stored. */
const MAYBE_SHORTENED = 16_384;

export function prepareInsert(connection: Connection): (entry: Entry) => void {
  const statement: StatementSync = connection.prepare(
    'insert into audit_entries (tenant, seq, at, type, request_id, agent, integration, action, decision, entry) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  return (entry) => {
    const text = encodeEntryText(entry);
    const stored = text.length > MAYBE_SHORTENED ? decodeEntry(text) : entry;
    statement.run(
      stored.tenant,
      stored.seq,
      stored.at,
      stored.type,
      stored.requestId ?? null,
      stored.agent ?? null,
      stored.integration ?? null,
      stored.action ?? null,
      stored.decision ?? null,
      text,
    );
  };
}

/** The entry of a draft at its place in the log. */
export function toEntry(draft: EntryDraft, seq: number): Entry {
  if (draft.tenant === '') throw new DbError('invalid', 'audit_entries.tenant is empty');
  return { ...draft, v: 1, id: makeEntryId(draft.at, seq), seq };
}

/** Appends one entry in the transaction that is open. */
export function createAppender(connection: Connection): (draft: EntryDraft) => Entry {
  let statements: { number: ReturnType<typeof createNumbering>; insert: ReturnType<typeof prepareInsert> } | undefined;
  return (draft) => {
    // The tables are not there yet when a new file is opened.
    statements ??= { number: createNumbering(connection), insert: prepareInsert(connection) };
    const entry = toEntry(draft, statements.number(draft.tenant, 1));
    statements.insert(entry);
    return entry;
  };
}
