import type { EntryDraft } from '@postern/schemas';
import type { JournalOperation } from '../journal/batch.ts';

/** What the main thread and the database workers say to each other. Everything here passes by structured clone. */
export interface Query {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface QueryAnswer {
  readonly rows: readonly unknown[];
  /** Absent for a statement that gives rows. */
  readonly changes?: number;
}

export type Operation =
  /** `snapshot` reads the last committed state beside an open transaction; `write` is the writing connection. */
  | { readonly op: 'query'; readonly on: 'snapshot' | 'write'; readonly query: Query; readonly transaction?: number }
  | { readonly op: 'queries'; readonly on: 'snapshot' | 'write'; readonly queries: readonly Query[] }
  | { readonly op: 'begin' | 'commit' | 'rollback'; readonly transaction: number }
  | { readonly op: 'append'; readonly draft: EntryDraft; readonly transaction: number }
  | JournalOperation
  | { readonly op: 'close' };

/** How a worker is started: `workerData`. */
export interface WorkerSettings {
  readonly role: 'writer' | 'reader';
  readonly file: string;
  /** How long a transaction of the main thread may hold the writing connection. */
  readonly transactionMs: number;
}
