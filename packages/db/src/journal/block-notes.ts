import type { Entry } from '@postern/schemas';
import { BLOCK_ENTRIES, blockOf, NO_TERM, TERM_FIELDS, type TermField, termOf } from '../audit-terms.ts';

/** A block of a log, all of whose entries were noted as they were appended. */
export interface NotedBlock {
  readonly log: number;
  readonly block: number;
  /** The least and the greatest time in it. */
  readonly times: { readonly min: number; readonly max: number };
  /** By field: the terms of its entries, each at its place. */
  readonly terms: readonly Uint32Array[];
}

/** 20 KiB each. Of more logs that grow at once, some blocks are not noted. */
const LOGS_MAX = 64;
/** A longer value may have been replaced by its digest, so that the entry is not too long. */
const VALUE_MAX = 75;

/**
 * Notes what a summary says of a block while its entries are appended: reading them again afterwards costs some 8 µs each. Of a block
 * that it has not seen from its first entry on it notes nothing; that one is read.
 */
export class BlockNotes {
  readonly #growing = new Map<number, GrowingBlock>();
  readonly #lastTerms = TERM_FIELDS.map((field) => new LastTerm(field));
  #whole: NotedBlock[] = [];

  /** Takes the next entry of a log. */
  note(log: number, seq: number, entry: Entry): void {
    const place = seq % BLOCK_ENTRIES;
    const growing = place === 0 ? this.#begin(log, seq) : this.#growing.get(log);
    if (growing === undefined) return;
    if (growing.next !== seq || !this.#noteTerms(growing, place, entry)) {
      this.#growing.delete(log);
      return;
    }
    growing.next = seq + 1;
    if (entry.at < growing.times.min) growing.times.min = entry.at;
    if (entry.at > growing.times.max) growing.times.max = entry.at;
    if (place < BLOCK_ENTRIES - 1) return;
    this.#growing.delete(log);
    this.#whole.push(growing);
  }

  /** The blocks that have become whole since it was asked before. */
  takeWhole(): readonly NotedBlock[] {
    const whole = this.#whole;
    if (whole.length > 0) this.#whole = [];
    return whole;
  }

  /** What was noted may not be in the log. */
  forget(): void {
    this.#growing.clear();
    this.#whole = [];
  }

  #begin(log: number, seq: number): GrowingBlock {
    // Also the one of this log, so that it becomes the latest.
    this.#growing.delete(log);
    if (this.#growing.size >= LOGS_MAX) this.#growing.delete(this.#growing.keys().next().value as number);
    const growing: GrowingBlock = {
      log,
      block: blockOf(seq),
      next: seq,
      times: { min: Number.MAX_SAFE_INTEGER, max: 0 },
      terms: TERM_FIELDS.map(() => new Uint32Array(BLOCK_ENTRIES)),
    };
    this.#growing.set(log, growing);
    return growing;
  }

  /** False where it cannot be told what will be stored. */
  #noteTerms({ terms }: GrowingBlock, place: number, entry: Entry): boolean {
    for (let field = 0; field < TERM_FIELDS.length; field++) {
      const value = entry[TERM_FIELDS[field] as TermField];
      if (value === undefined) continue;
      if (value.length > VALUE_MAX) return false;
      (terms[field] as Uint32Array)[place] = (this.#lastTerms[field] as LastTerm).of(value);
    }
    return true;
  }
}

interface GrowingBlock extends NotedBlock {
  /** The place at which it goes on. */
  next: number;
  readonly times: { min: number; max: number };
}

/** Most entries have the value of the one before. */
class LastTerm {
  readonly #field: TermField;
  #value = '';
  #term = NO_TERM;

  constructor(field: TermField) {
    this.#field = field;
  }

  of(value: string): number {
    if (value !== this.#value) {
      this.#term = termOf(this.#field, value);
      this.#value = value;
    }
    return this.#term;
  }
}
