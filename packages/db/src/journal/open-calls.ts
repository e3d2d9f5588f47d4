import type { OutcomeDraft } from '../ports/call-journal.ts';
import type { IntentPart } from './call-drafts.ts';
import type { CallHold } from './call-holds.ts';
import type { OpenIntentStore } from './journal-rows.ts';

/** An intent of this boot that has no outcome yet, and where it is. */
export interface OpenCall {
  readonly draft: IntentPart & { readonly requestId: string };
  /** What it took besides. */
  readonly hold: CallHold | undefined;
  readonly lease: number;
  readonly log: number;
  readonly seq: number;
  /** It has a row in `open_intents`. */
  hasRow: boolean;
}

export interface OpenCallsMark {
  readonly opened: number;
  readonly closed: number;
}

/**
 * The calls of this boot that are open, by request id. They are in memory; a row says so as well only for those that were open
 * when the lease was renewed. What a transaction opens and closes counts from its commit on.
 */
export class OpenCalls {
  readonly #rows: OpenIntentStore;
  readonly #calls = new Map<string, OpenCall>();
  readonly #opened = new Map<string, OpenCall>();
  readonly #closed = new Set<string>();
  #rowsAdded: OpenCall[] = [];

  constructor(rows: OpenIntentStore) {
    this.#rows = rows;
  }

  /** As committed. */
  get size(): number {
    return this.#calls.size;
  }

  has(requestId: string): boolean {
    return this.#opened.has(requestId) || this.#calls.has(requestId);
  }

  /** The intent that an outcome is about; undefined when that is not open (any more). */
  find({ tenant, requestId }: OutcomeDraft): OpenCall | undefined {
    if (this.#closed.has(requestId)) return undefined;
    const call = this.#opened.get(requestId) ?? this.#calls.get(requestId);
    return call?.draft.tenant === tenant ? call : undefined;
  }

  open(call: OpenCall): void {
    this.#opened.set(call.draft.requestId, call);
  }

  close(call: OpenCall): void {
    this.#closed.add(call.draft.requestId);
    if (call.hasRow) this.#rows.remove(call.lease, call.log, call.seq);
  }

  /** What the transaction has opened and closed so far, for `backTo`. */
  mark(): OpenCallsMark {
    return { opened: this.#opened.size, closed: this.#closed.size };
  }

  /** What was opened and closed since then is not so. */
  backTo({ opened, closed }: OpenCallsMark): void {
    for (const requestId of [...this.#opened.keys()].slice(opened)) this.#opened.delete(requestId);
    for (const requestId of [...this.#closed].slice(closed)) this.#closed.delete(requestId);
  }

  /** Writes down which calls are open, for a lease that is renewed before anything else in its transaction. */
  writeRows(): void {
    for (const call of this.#calls.values()) {
      if (call.hasRow) continue;
      this.#rows.insert(call.lease, call.log, call.seq);
      call.hasRow = true;
      this.#rowsAdded.push(call);
    }
  }

  committed(): void {
    for (const [requestId, call] of this.#opened) this.#calls.set(requestId, call);
    for (const requestId of this.#closed) this.#calls.delete(requestId);
    this.#endTransaction();
  }

  rolledBack(): void {
    for (const call of this.#rowsAdded) call.hasRow = false;
    this.#endTransaction();
  }

  /** Another node has taken them. */
  clear(): void {
    this.#calls.clear();
  }

  #endTransaction(): void {
    this.#opened.clear();
    this.#closed.clear();
    if (this.#rowsAdded.length > 0) this.#rowsAdded = [];
  }
}
