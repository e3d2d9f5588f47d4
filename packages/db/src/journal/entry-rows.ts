import { encodeEntryText } from '@postern/audit';
import type { Entry, EntryDraft } from '@postern/schemas';
import { makeEntryId } from '../entry-id.ts';
import { DbError } from '../ports/db-error.ts';
import { requestKey } from '../request-key.ts';
import { BlockNotes, type NotedBlock } from './block-notes.ts';
import type { EntryStore, LogEnd, RowMarks } from './journal-rows.ts';

const NO_MARKS: RowMarks = {};

export interface AppendedEntry {
  readonly entry: Entry;
  readonly log: number;
  readonly seq: number;
}

/**
 * What is appended to the logs within a transaction of the caller, who writes all of it before the commit. All that one connection
 * appends goes through one of these: it knows where the logs end until it is told to forget.
 */
export class EntryRows {
  readonly #store: EntryStore;
  readonly #ends = new Map<string, LogEnd>();
  readonly #notes: BlockNotes | undefined;
  readonly #summarise: (block: NotedBlock) => void;

  /** `summarise` stores the summary of a block that was appended here as a whole; absent: nothing is noted, for others append too. */
  constructor(store: EntryStore, summarise?: (block: NotedBlock) => void) {
    this.#store = store;
    this.#notes = summarise && new BlockNotes();
    this.#summarise = summarise ?? (() => undefined);
  }

  /** Numbers and encodes an entry. */
  append(draft: EntryDraft, marks: RowMarks = NO_MARKS): AppendedEntry {
    const appended = this.#append(draft, marks);
    this.#notes?.note(appended.log, appended.seq, appended.entry);
    return appended;
  }

  #append(draft: EntryDraft, marks: RowMarks): AppendedEntry {
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
    for (const block of this.#notes?.takeWhole() ?? []) this.#summarise(block);
  }

  /** Appends and writes one entry. Whether its transaction will be committed is not known here, so nothing is kept. */
  appendOne(draft: EntryDraft): Entry {
    this.#forgetEnds();
    try {
      const { entry } = this.#append(draft, NO_MARKS);
      this.#store.write();
      return entry;
    } finally {
      this.#forgetEnds();
    }
  }

  /** After any rollback, and when another connection may have appended. */
  forget(): void {
    this.#forgetEnds();
    this.#notes?.forget();
  }

  #forgetEnds(): void {
    this.#store.drop();
    this.#ends.clear();
  }

  #readEnd(tenant: string): LogEnd {
    const end = this.#store.readEnd(tenant);
    this.#ends.set(tenant, end);
    return end;
  }
}
