import type { EntryDraft } from '@postern/schemas';
import type {
  CallSettlement,
  IntentConditions,
  IntentDraft,
  LostCondition,
  OutcomeDraft,
} from '../ports/call-journal.ts';
import type { DbErrorCode } from '../ports/db-error.ts';

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

/** What became of a batch. */
export interface JournalAnswer {
  /** Records of a stored batch that could not be stored themselves, by their place in it. */
  readonly refused: readonly RefusedRecord[];
  /** Why it is not known whether the batch is stored. The next batch must be an empty one, which asks that. */
  readonly doubt?: string | undefined;
  /** In answer to an empty batch: whether the batch in doubt, of which `refused` speaks, is stored. */
  readonly wasStored?: boolean | undefined;
}

export interface RefusedRecord {
  readonly index: number;
  readonly error: WireError;
}

/** What the main thread asks of the worker in which a journal is. */
export type JournalOperation =
  | { readonly op: 'journal.open'; readonly node: string; readonly boot: string; readonly leaseMs: number }
  | { readonly op: 'journal.write'; readonly batch: PackedBatch }
  | { readonly op: 'journal.recover' | 'journal.renew'; readonly now: number }
  | { readonly op: 'journal.close' };

/** An error on the wire: structured clone would lose the class and its code. */
export interface WireError {
  readonly code: DbErrorCode;
  readonly message: string;
  /** Of an intent whose conditions did not hold. */
  readonly condition?: LostCondition;
}
