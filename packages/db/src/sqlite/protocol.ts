import type { EntryDraft } from '@postern/schemas';
import type {
  CallSettlement,
  IntentConditions,
  IntentDraft,
  LostCondition,
  OutcomeDraft,
} from '../ports/call-journal.ts';
import type { DbErrorCode } from '../ports/db-error.ts';

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

/** What a record of a journal batch is; small integers, since one goes along with each record. */
export const INTENT = 0;
export const OUTCOME = 1;
export const REFUSAL = 2;
export type RecordKind = typeof INTENT | typeof OUTCOME | typeof REFUSAL;
export type JournalDraft = IntentDraft | OutcomeDraft | EntryDraft;

/** What a record brings besides its entry: conditions with an intent, a settlement with an outcome. */
export type RecordEffects = IntentConditions | CallSettlement;

export interface JournalBatch {
  /** Milliseconds since the epoch, for the lease, and for all that expires. */
  readonly now: number;
  readonly kinds: readonly RecordKind[];
  readonly drafts: readonly JournalDraft[];
  /** By the place of the record; most have none. */
  readonly effects: ReadonlyMap<number, RecordEffects>;
}

/** See `pack-batch.ts`. */
export type PackedBatch = readonly unknown[];

/** Records of a stored batch that could not be stored themselves, by their place in it. */
export interface JournalAnswer {
  readonly refused: readonly { readonly index: number; readonly error: WireError }[];
}

export type Operation =
  /** `snapshot` reads the last committed state beside an open transaction; `write` is the writing connection. */
  | { readonly op: 'query'; readonly on: 'snapshot' | 'write'; readonly query: Query; readonly transaction?: number }
  | { readonly op: 'queries'; readonly on: 'snapshot' | 'write'; readonly queries: readonly Query[] }
  | { readonly op: 'begin' | 'commit' | 'rollback'; readonly transaction: number }
  | { readonly op: 'append'; readonly draft: EntryDraft; readonly transaction: number }
  | { readonly op: 'journal.open'; readonly node: string; readonly boot: string; readonly leaseMs: number }
  | { readonly op: 'journal.write'; readonly batch: PackedBatch }
  | { readonly op: 'journal.recover' | 'journal.renew'; readonly now: number }
  | { readonly op: 'journal.close' }
  | { readonly op: 'close' };

export interface Request {
  readonly id: number;
  readonly operation: Operation;
}

/** An error on the wire: structured clone would lose the class and its code. */
export interface WireError {
  readonly code: DbErrorCode;
  readonly message: string;
  /** Of an intent whose conditions did not hold. */
  readonly condition?: LostCondition;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError };

/** How a worker is started: `workerData`. */
export interface WorkerSettings {
  readonly role: 'writer' | 'reader';
  readonly file: string;
  /** How long a transaction of the main thread may hold the writing connection. */
  readonly transactionMs: number;
}
