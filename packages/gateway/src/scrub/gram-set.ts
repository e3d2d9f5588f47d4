import type { EchoForm, Spelling } from './echo-form.ts';

/**
 * A set of windows of four bytes, case of ASCII letters ignored: a filter. It never misses one of its own and takes some others
 * for them, as one number stands for many windows.
 */
export class GramSet {
  readonly #bits: Int32Array;
  readonly #shift: number;

  /** For about `size` windows; of others it takes about one in sixty-four for its own. */
  constructor(size: number) {
    const sizeLog2 = Math.min(Math.max(Math.ceil(Math.log2(size * 64)), 12), 20);
    this.#shift = 32 - sizeLog2;
    this.#bits = new Int32Array(1 << (sizeLog2 - 5));
  }

  clone(): GramSet {
    const twin = new GramSet(this.#bits.length / 2);
    twin.#bits.set(this.#bits);
    return twin;
  }

  /** Adds the windows of every spelling of a form. */
  addForm(form: EchoForm): void {
    const { plainBytes } = form;
    if (plainBytes === undefined) forEachGram(form, (grams) => this.#add(grams));
    else this.#add(Array.from({ length: plainBytes.length - GRAM_BYTES + 1 }, (_, at) => gramAt(plainBytes, at)));
  }

  #add(grams: readonly number[]): void {
    const bits = this.#bits;
    for (let i = 0; i < grams.length; i += 1) {
      const place = placeOf(grams[i] as number) >>> this.#shift;
      bits[place >>> 5] = (bits[place >>> 5] as number) | (1 << (place & 31));
    }
  }

  /** Whether the window that begins at `at` may be one of the set. */
  has(bytes: Uint8Array, at: number): boolean {
    const place = placeOf(gramAt(bytes, at)) >>> this.#shift;
    return (((this.#bits[place >>> 5] as number) >>> (place & 31)) & 1) === 1;
  }

  /**
   * The first of the windows at `from`, `from + stride`, … that is part of a run of eight bytes whose windows may all be of the set, or
   * -1. Such a run reaches two bytes beyond the window on one side at least; none begins before `from`.
   */
  find(bytes: Uint8Array, from: number, stride: number): number {
    const bits = this.#bits;
    const shift = this.#shift;
    const last = bytes.length - GRAM_BYTES;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = from; at <= last; at += stride) {
      const place = placeOf(view.getInt32(at, true)) >>> shift;
      if ((((bits[place >>> 5] as number) >>> (place & 31)) & 1) === 0) continue;
      if ((at >= from + 2 && this.has(bytes, at - 2)) || (at + 2 <= last && this.has(bytes, at + 2))) return at;
    }
    return -1;
  }

  /** Whether any of the windows at 0, `stride`, … of a text of one byte a character may be one of the set. */
  isInText(text: string, stride: number): boolean {
    const bits = this.#bits;
    const shift = this.#shift;
    const last = text.length - GRAM_BYTES;
    for (let at = 0; at <= last; at += stride) {
      const gram =
        text.charCodeAt(at) |
        (text.charCodeAt(at + 1) << 8) |
        (text.charCodeAt(at + 2) << 16) |
        (text.charCodeAt(at + 3) << 24);
      const place = placeOf(gram) >>> shift;
      if ((((bits[place >>> 5] as number) >>> (place & 31)) & 1) === 1) return true;
    }
    return false;
  }
}

export const GRAM_BYTES = 4;

function gramAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Lower and upper case of a letter differ in this bit alone. */
const CASE_BITS = 0x20202020;

/** Fibonacci hashing: the upper bits of the product are spread well. */
function placeOf(gram: number): number {
  return Math.imul(gram | CASE_BITS, 0x9e3779b1);
}

/** By length up to four: what the text can go on with, as many bytes of it. */
type Continuations = readonly [number[], number[], number[], number[], number[]];

/**
 * From the last unit to the first, what the text can go on with from a unit is made of its spellings and of what can follow each:
 * so every choice of spellings is there, and none is made twice.
 */
function forEachGram(form: EchoForm, add: (grams: readonly number[]) => void): void {
  const ring = Array.from({ length: RING_LENGTH }, newContinuations);
  const none = newContinuations();
  for (let index = form.length - 1; index >= 0; index -= 1) {
    const own = ring[index % RING_LENGTH] as Continuations;
    for (const list of own) list.length = 0;
    for (const { bytes, units } of form.spellings(index)) {
      const isEnd = index + units >= form.length;
      const next = isEnd ? none : (ring[(index + units) % RING_LENGTH] as Continuations);
      for (let length = 1; length <= GRAM_BYTES; length += 1) {
        addContinuations(bytes, length, next, own[length] as number[]);
      }
      for (let from = 1; from < bytes.length; from += 1) addContinuations(bytes.slice(from), GRAM_BYTES, next, own[0]);
    }
    add(own[GRAM_BYTES]);
    add(own[0]);
  }
}

/** More than one spelling is worth. */
const RING_LENGTH = 5;

function newContinuations(): Continuations {
  return [[], [], [], [], []];
}

/** Each way to write `length` bytes that begins with `bytes`, the first one lowest. */
function addContinuations(bytes: Spelling['bytes'], length: number, next: Continuations, into: number[]): void {
  const own = Math.min(bytes.length, length);
  let begun = 0;
  for (let i = 0; i < own; i += 1) begun |= (bytes[i] as number) << (8 * i);
  if (own === length) into.push(begun);
  else for (const rest of next[length - own] as number[]) into.push(begun | (rest << (8 * own)));
}
