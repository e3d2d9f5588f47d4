import { BLOCK_ENTRIES, packWords, SPAN_ENTRIES } from './audit-terms.ts';

/** Where a term stands in a span, the newest first. */
export type TermInSpan =
  /** Few entries: the places of all, counted from the span's first. */
  | { readonly places: readonly number[] }
  /** Many: a bit for each block in which one stands. */
  | { readonly blocks: number };

/** Of a term with more entries in a span it is told only in which blocks they stand. */
const PLACES_MAX = 64;

const WORD_BYTES = 4;
const PAIR_BYTES = 2 * WORD_BYTES;

/** A term and a place at which it stands, counted from the span's first, as one number: sorted, the places of a term follow each other. */
export function toStanding(term: number, place: number): number {
  return term * SPAN_ENTRIES + place;
}

/**
 * The bytes of one bucket, from what stands in it, sorted. Numbers of 32 bits, little-endian: how many terms stand often, those with their
 * blocks, then of all others each place, as pairs of term and place; both in the order of the terms.
 */
export function packSpanTerms(standings: Float64Array): Uint8Array {
  const [many, few]: [number[], number[]] = [[], []];
  for (let first = 0, next = 0; first < standings.length; first = next) {
    const term = termAt(standings, first);
    while (next < standings.length && termAt(standings, next) === term) next += 1;
    const places = Array.from(standings.subarray(first, next), (standing) => standing % SPAN_ENTRIES);
    if (places.length > PLACES_MAX) many.push(term, blocksOf(places));
    else for (const place of places) few.push(term, place);
  }
  return packWords([many.length / 2, ...many, ...few]);
}

function termAt(standings: Float64Array, index: number): number {
  return Math.floor((standings[index] as number) / SPAN_ENTRIES);
}

/** Undefined for a term that does not stand in the span. */
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
