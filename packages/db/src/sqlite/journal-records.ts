import type { DbError } from '../ports/db-error.ts';
import { INTENT, type JournalDraft, type RecordKind } from './protocol.ts';

/** Who waits for an intent. */
export interface Settler {
  resolve(): void;
  reject(error: DbError): void;
}

/** Records in their order, as three lists in step: two of them go to the worker as they are. */
export class JournalRecords {
  readonly kinds: RecordKind[] = [];
  readonly drafts: JournalDraft[] = [];
  /** undefined for all but intents. */
  readonly settlers: (Settler | undefined)[] = [];
  #intents = 0;

  get length(): number {
    return this.drafts.length;
  }

  /** Intents among them. */
  get intents(): number {
    return this.#intents;
  }

  add(kind: RecordKind, draft: JournalDraft, settler: Settler | undefined): void {
    this.kinds.push(kind);
    this.drafts.push(draft);
    this.settlers.push(settler);
    if (kind === INTENT) this.#intents += 1;
  }

  /** The first `count`, and those after them. */
  split(count: number): { first: JournalRecords; rest: JournalRecords } {
    const first = new JournalRecords();
    const rest = new JournalRecords();
    this.forEach((kind, draft, settler) => {
      (first.length < count ? first : rest).add(kind, draft, settler);
    });
    return { first, rest };
  }

  /** Those of ours that nobody waits for, then all of `later`. */
  followersThen(later: JournalRecords): JournalRecords {
    const records = new JournalRecords();
    this.forEach((kind, draft) => {
      if (kind !== INTENT) records.add(kind, draft, undefined);
    });
    later.forEach((kind, draft, settler) => {
      records.add(kind, draft, settler);
    });
    return records;
  }

  forEach(visit: (kind: RecordKind, draft: JournalDraft, settler: Settler | undefined) => void): void {
    for (const [index, draft] of this.drafts.entries()) {
      visit(this.kinds[index] as RecordKind, draft, this.settlers[index]);
    }
  }
}
