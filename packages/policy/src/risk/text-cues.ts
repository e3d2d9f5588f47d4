/** What a text must have of a group to be in it: one of its words or of its characters. A group without either always is. */
export interface CueGroup {
  readonly words?: readonly string[];
  readonly characters?: string;
}

/** The bit of a text that has other characters than ASCII's: what hides words in it is to be undone first. */
export const NOT_ASCII = 1 << 31;

/** A word is told by so many letters of its beginning; five of the alphabet's 26 fit into 25 bits. */
const LETTERS_TOLD = 5;
const FILTER_SIZE = 32_768;

/**
 * Answers of a text, as a bit for each group, which groups it is in, and `NOT_ASCII`; at most 31 groups. One pass over the characters, whatever the number
 * of groups: dozens of searches, each for something that is hardly ever there, are saved by it.
 */
export function createCues(groups: readonly CueGroup[]): (text: string) => number {
  if (groups.length > 31) throw new RangeError('there are more groups than bits');
  const always = bitsOf(groups, ({ words, characters }) => words === undefined && characters === undefined);
  const byByte = new Int32Array(256).fill(NOT_ASCII);
  for (let code = 0; code < 127; code += 1) {
    byByte[code] = bitsOf(groups, ({ characters }) => characters?.includes(String.fromCharCode(code)) === true);
  }
  const byWord = new Map<number, number>();
  const filter = new Uint8Array(FILTER_SIZE);
  for (const word of groups.flatMap(({ words = [] }) => words)) {
    const key = keyOf(word);
    byWord.set(
      key,
      bitsOf(groups, ({ words }) => words?.some((other) => keyOf(other) === key) === true),
    );
    filter[placeOf(key)] = 1;
  }
  return (text) => {
    const bytes = bytesOf(text);
    let bits = always;
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index] as number;
      let letter = LETTER[byte] as number;
      if (letter === 0) {
        bits |= byByte[byte] as number;
        continue;
      }
      let key = 0;
      for (const told = index + LETTERS_TOLD; letter !== 0 && index < told; letter = letterAt(bytes, index)) {
        key = (key << 5) | letter;
        index += 1;
      }
      while (letter !== 0) {
        index += 1;
        letter = letterAt(bytes, index);
      }
      if (filter[placeOf(key)] === 1) bits |= byWord.get(key) ?? 0;
      // What ends a word is looked at as well.
      index -= 1;
    }
    return bits;
  };
}

function letterAt(bytes: Uint8Array, index: number): number {
  return index < bytes.length ? (LETTER[bytes[index] as number] as number) : 0;
}

/** Characters of a string are read one by one at three times what bytes cost. Valid until the next call. */
function bytesOf(text: string): Uint8Array {
  if (text.length > SCRATCH_CHARACTERS) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

const encoder = new TextEncoder();
/** A character of a string is three bytes at most. */
const scratch = new Uint8Array(65_536);
const SCRATCH_CHARACTERS = Math.floor(scratch.length / 3);

function bitsOf(groups: readonly CueGroup[], isIn: (group: CueGroup) => boolean): number {
  return groups.reduce((bits, group, place) => (isIn(group) ? bits | (1 << place) : bits), 0);
}

/** By the byte the number of an ASCII letter from 1, whatever its case; 0 for all else. */
const LETTER = Uint8Array.from({ length: 256 }, (_, code) => {
  const letter = code | 32;
  return letter >= 97 && letter <= 122 && code >= 65 ? letter - 96 : 0;
});

function keyOf(word: string): number {
  let key = 0;
  for (let index = 0; index < Math.min(word.length, LETTERS_TOLD); index += 1) {
    const letter = LETTER[word.charCodeAt(index)] ?? 0;
    if (letter === 0) throw new TypeError(`${word} is no run of ASCII letters`);
    key = (key << 5) | letter;
  }
  return key;
}

function placeOf(key: number): number {
  return (key ^ (key >>> 11)) & (FILTER_SIZE - 1);
}
