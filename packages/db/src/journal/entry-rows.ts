import { encodeEntryText } from '@postern/audit';
import type { Entry, EntryDraft } from '@postern/schemas';
import { makeEntryId } from '../entry-id.ts';
import { DbError } from '../ports/db-error.ts';
import { requestKey } from '../request-key.ts';
import type { EntryStore, LogEnd, RowMarks } from './journal-rows.ts';

const NO_MARKS: RowMarks = {};

/**
 * What is appended to the logs within a transaction of the caller, who writes all of it before the commit. All that one connection
 * appends goes through one of these: it knows where the logs end until it is told to forget.
 */
export class EntryRows {
  readonly #store: EntryStore;
  readonly #ends = new Map<string, LogEnd>();

  constructor(store: EntryStore) {
    this.#store = store;
  }

  /** Numbers and encodes an entry. */
  append(draft: EntryDraft, marks: RowMarks = NO_MARKS): { entry: Entry; log: number; seq: number } {
    if (draft.tenant === '') throw new DbError('invalid', 'audit_entries.tenant is empty');
    const end = this.#ends.get(draft.tenant) ?? this.#readEnd(draft.tenant);
    const { log, seq } = end;
    const entry: Entry = { ...draft, v: 1, id: makeEntryId(draft.at, seq), seq };
    const text = encodeEntryText(entry);
    this.#store.add(end, text, entry.requestId === undefined ? null : requestKey(entry.requestId), marks);
    end.seq = seq + 1;
    return { entry, log, seq };
  }

  /** Writes what was appended. */
  write(): void {
    this.#store.write();
  }

  /** Appends and writes one entry. Whether its transaction will be committed is not known here, so nothing is kept. */
  appendOne(draft: EntryDraft): Entry {
    this.forget();
    try {
      const { entry } = this.append(draft);
      this.write();
      return entry;
    } finally {
      this.forget();
    }
  }

  /** After any rollback, and when another connection may have appended. */
  forget(): void {
    this.#store.drop();
    this.#ends.clear();
  }

  #readEnd(tenant: string): LogEnd {
    const end = this.#store.readEnd(tenant);
    this.#ends.set(tenant, end);
    return end;
  }
}
