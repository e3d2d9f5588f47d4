/** Consecutive places of a log that are summarised together. Stored summaries rest on these numbers: they never change. */
export const BLOCK_ENTRIES = 1_024;
/** As many as a number has bits here. */
export const SPAN_BLOCKS = 32;
export const ERA_SPANS = 32;
export const BUCKETS = 1_024;
/** Rows of lower numbers are of an earlier form, with 256 buckets: to this one they tell nothing. */
export const FIRST_BUCKET = 1_024;

export const SPAN_ENTRIES = BLOCK_ENTRIES * SPAN_BLOCKS;

export const blockOf = (seq: number) => Math.floor(seq / BLOCK_ENTRIES);
export const spanOf = (block: number) => Math.floor(block / SPAN_BLOCKS);
export const eraOf = (span: number) => Math.floor(span / ERA_SPANS);

/** The members of an entry that are summarised; a field's number is its place here. */
export const TERM_FIELDS = ['agent', 'integration', 'action', 'decision', 'type'] as const;
export type TermField = (typeof TERM_FIELDS)[number];

/** Where an entry lacks the member. No value has this term. */
export const NO_TERM = 0;

/** Left out of values, so that a list of values can be taken apart by it. */
export const SEPARATOR = '\u001f';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const WORD_BYTES = 4;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/**
 * A field and a value of it as a number of 32 bits (FNV-1a). Values share terms, so what is found by one is compared. An empty value
 * and none are the same.
 */
export function termOf(field: TermField, value: string): number {
  const text = (value.includes(SEPARATOR) ? value.replaceAll(SEPARATOR, '') : value).toWellFormed();
  if (text === '') return NO_TERM;
  let hash = Math.imul(FNV_OFFSET ^ (TERM_FIELDS.indexOf(field) + 1), FNV_PRIME);
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  // FNV-1a leaves the last characters in the low bits; buckets are told by the high ones.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0 || 1;
}

/** Of the terms of a span, or of an era, those with the same upper 10 bits lie in one row, of half a kilobyte at most. */
export function bucketOf(term: number): number {
  return FIRST_BUCKET + (term >>> 22);
}

/** Numbers of 32 bits, little-endian. */
export function packWords(numbers: ArrayLike<number>): Uint8Array {
  if (IS_LITTLE_ENDIAN) return new Uint8Array(Uint32Array.from(numbers).buffer);
  const bytes = new Uint8Array(numbers.length * WORD_BYTES);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < numbers.length; index++) {
    view.setUint32(index * WORD_BYTES, numbers[index] as number, true);
  }
  return bytes;
}

export function unpackWords(bytes: Uint8Array): Uint32Array {
  // A copy begins where numbers may begin.
  if (IS_LITTLE_ENDIAN) return new Uint32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / WORD_BYTES));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: Math.floor(bytes.length / WORD_BYTES) }, (_, index) =>
    view.getUint32(index * WORD_BYTES, true),
  );
}
