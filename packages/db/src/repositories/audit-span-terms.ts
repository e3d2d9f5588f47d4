import { BLOCK_ENTRIES, packWords, SPAN_ENTRIES, unpackWords } from '../audit-terms.ts';

/** Where a term stands in a span; in an era, whose bits are of spans. */
export type TermInSpan =
  /** Few entries: the places of all, counted from the span's first, the newest first. */
  | { readonly places: readonly number[] }
  /** Many: a bit for each block in which one stands. */
  | { readonly blocks: number };

/** Of a term with more entries in a span it is told only in which blocks they stand. */
export const PLACES_MAX = 64;

const WORD_BYTES = 4;
const PAIR_BYTES = 2 * WORD_BYTES;

/** A term and a place at which it stands, counted from the span's first, as one number: sorted, the places of a term follow each other. */
export function toStanding(term: number, place: number): number {
  return term * SPAN_ENTRIES + place;
}

/** What stands in one bucket of a span. */
export interface SpanBucket {
  /** Terms with more than `PLACES_MAX` entries: a bit for each block in which one stands. */
  readonly many: ReadonlyMap<number, number>;
  /** All entries of the others, in any order; it is sorted here. */
  readonly few: Float64Array;
}

/**
 * The bytes of a bucket: numbers of 32 bits, little-endian. How many terms stand often, those with their blocks, then of all others each place,
 * as pairs of term and place; both in the order of the terms.
 */
export function packSpanTerms({ many, few }: SpanBucket): Uint8Array {
  const pairs = [...many].sort(([one], [other]) => one - other);
  const words = new Uint32Array(1 + 2 * pairs.length + 2 * few.length);
  words[0] = pairs.length;
  words.set(pairs.flat(), 1);
  let next = 1 + 2 * pairs.length;
  for (const standing of few.sort()) {
    words[next] = Math.floor(standing / SPAN_ENTRIES);
    words[next + 1] = standing % SPAN_ENTRIES;
    next += 2;
  }
  return packWords(words);
}

/** The bytes of a bucket of an era: of each term the spans in which it stands, a bit for each. In the same form, in which all stand often. */
export function packEraTerms(spansOfTerms: ReadonlyMap<number, number>): Uint8Array {
  const pairs = [...spansOfTerms].sort(([one], [other]) => one - other);
  return packWords([pairs.length, ...pairs.flat()]);
}

/** All terms of a bucket of a span. */
export function* termsOfSpan(bytes: Uint8Array): Generator<number> {
  const words = unpackWords(bytes);
  for (let index = 1; index < words.length; index += 2) yield words[index] as number;
}

/** Undefined for a term that does not stand in it. */
export function findTerm(bytes: Uint8Array, term: number): TermInSpan | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const many = view.getUint32(0, true);
  const pairs = Math.floor((bytes.byteLength - WORD_BYTES) / PAIR_BYTES);
  const readTerm = (pair: number) => view.getUint32(WORD_BYTES + pair * PAIR_BYTES, true);
  const valueAt = (pair: number) => view.getUint32(2 * WORD_BYTES + pair * PAIR_BYTES, true);
  const often = firstNotBelow(term, 0, many, readTerm);
  if (often < many && readTerm(often) === term) return { blocks: valueAt(often) };
  const places: number[] = [];
  for (let pair = firstNotBelow(term, many, pairs, readTerm); pair < pairs && readTerm(pair) === term; pair++) {
    places.push(valueAt(pair));
  }
  return places.length === 0 ? undefined : { places: places.reverse() };
}

/** The first pair in a range of which the term is not less. */
function firstNotBelow(term: number, from: number, to: number, readTerm: (pair: number) => number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (readTerm(middle) < term) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A bit for each block in which a place lies. */
export function blocksOf(places: readonly number[]): number {
  return places.reduce((blocks, place) => (blocks | (1 << Math.floor(place / BLOCK_ENTRIES))) >>> 0, 0);
}
