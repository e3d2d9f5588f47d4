import { ownBytes } from '../own-bytes.ts';
import { type CallSettlement, type IntentDraft, STORED_ANSWER_BYTES_MAX } from '../ports/call-journal.ts';
import type { DbError } from '../ports/db-error.ts';
import { INTENT, type JournalDraft, type RecordEffects, type RecordKind } from './batch.ts';

/** Who waits for an intent. */
export interface Settler {
  resolve(): void;
  reject(error: DbError): void;
}

/** Records in their order, as three lists in step, and what few of them bring along: all but who waits goes to the worker as it is. */
export class JournalRecords {
  readonly kinds: RecordKind[] = [];
  readonly drafts: JournalDraft[] = [];
  /** undefined for all but intents. */
  readonly settlers: (Settler | undefined)[] = [];
  /** By the place of the record. */
  readonly effects = new Map<number, RecordEffects>();
  #intents = 0;

  get length(): number {
    return this.drafts.length;
  }

  /** Intents among them. */
  get intents(): number {
    return this.#intents;
  }

  add(kind: RecordKind, draft: JournalDraft, settler?: Settler, effects?: RecordEffects): void {
    if (effects !== undefined) this.effects.set(this.drafts.length, effects);
    this.kinds.push(kind);
    this.drafts.push(draft);
    this.settlers.push(settler);
    if (kind === INTENT) this.#intents += 1;
  }

  /** How many of the first to take, at least one, so that neither they nor their answers are too many. */
  countWithin(countMax: number, answerBytesMax: number): number {
    let bytes = 0;
    for (const [index, effects] of this.effects) {
      bytes += answerBytes(effects);
      if (bytes > answerBytesMax) return Math.min(Math.max(index, 1), countMax);
    }
    return Math.min(this.length, countMax);
  }

  /** The oldest answers are kept; the claims of the others will have none. */
  dropAnswersAbove(answerBytesMax: number): void {
    let bytes = 0;
    for (const [index, effects] of this.effects) {
      bytes += answerBytes(effects);
      if (bytes > answerBytesMax) this.effects.set(index, withoutAnswer(effects));
    }
  }

  /** The first `count`, and those after them. */
  split(count: number): { first: JournalRecords; rest: JournalRecords } {
    const first = new JournalRecords();
    const rest = new JournalRecords();
    this.forEach((kind, draft, settler, effects) => {
      (first.length < count ? first : rest).add(kind, draft, settler, effects);
    });
    return { first, rest };
  }

  /** Those of ours that nobody waits for, then all of `later`. */
  followersThen(later: JournalRecords): JournalRecords {
    const records = new JournalRecords();
    this.forEach((kind, draft, _, effects) => {
      if (kind !== INTENT) records.add(kind, draft, undefined, effects);
    });
    later.forEach((kind, draft, settler, effects) => {
      records.add(kind, draft, settler, effects);
    });
    return records;
  }

  forEachIntent(visit: (draft: IntentDraft, index: number) => void): void {
    for (const [index, draft] of this.drafts.entries()) {
      if (this.kinds[index] === INTENT) visit(draft as IntentDraft, index);
    }
  }

  forEach(visit: (...record: Parameters<JournalRecords['add']>) => void): void {
    for (const [index, draft] of this.drafts.entries()) {
      visit(this.kinds[index] as RecordKind, draft, this.settlers[index], this.effects.get(index));
    }
  }
}

function answerBytes({ claim }: RecordEffects): number {
  return claim !== undefined && 'sealed' in claim ? (claim.sealed?.byteLength ?? 0) : 0;
}

function withoutAnswer(effects: RecordEffects): RecordEffects {
  if (answerBytes(effects) === 0) return effects;
  return { ...(effects as CallSettlement), claim: { to: 'succeeded' } };
}

/** As it can be handed to the worker. An answer that is too long is none. */
export function withOwnBytes(settlement: CallSettlement): CallSettlement {
  const { claim } = settlement;
  if (claim?.to !== 'succeeded' || !ArrayBuffer.isView(claim.sealed)) return settlement;
  if (claim.sealed.byteLength > STORED_ANSWER_BYTES_MAX) return { ...settlement, claim: { to: 'succeeded' } };
  return { ...settlement, claim: { to: 'succeeded', sealed: ownBytes(claim.sealed) } };
}
