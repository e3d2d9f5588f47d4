/** One way to write a unit: its bytes (hexadecimal digits in lower case), and how many units it is worth. */
export interface Spelling {
  readonly bytes: readonly number[];
  readonly units: number;
}

/** What an escape stands for: `\X`, `%HH` or `\uHHHH`. The value of each kind is its length in bytes. */
export const SHORT_ESCAPE = 2;
export const PERCENT_ESCAPE = 3;
export const UNICODE_ESCAPE = 6;

type Kind = 'text' | 'hex' | 'base64';

/**
 * One form of an echo as a chain of units, each of which can be spelt in one or more ways:
 *
 * - text: a unit is a byte, written as it is, as `%HH`, or as JSON escapes it (`\uHHHH`, `\"`, `\\`, `\/`). Any choice of characters
 *   may be escaped, in either case of the digits: encoders differ in what they escape.
 * - hex: a unit is half a byte, a digit in either case.
 * - base64: a unit is six bits, a character of either alphabet (RFC 4648 sections 4 and 5); the four that are no letters or digits
 *   may be escaped, as they are in URLs and JSON. Only characters that the echo determines wholly are units: those at its
 *   ends that share bits with its neighbours hold at most four bits of it.
 *
 * What spells a unit of a form spells its equals and no other: `border` rests on that. It holds the secret: nothing in it is
 * printable.
 */
export class EchoForm {
  readonly #kind: Kind;
  /** What a byte means in this form. */
  readonly #values: Uint8Array;
  readonly #expected: Uint8Array;
  /** text: the UTF-16 code unit that begins at a byte, and the bytes it stands for (0: none begins here). */
  readonly #codeUnits: Uint16Array;
  readonly #codeUnitBytes: Uint8Array;
  /** By how many units have come: the longest proper end of those that is a beginning too (Knuth, Morris, Pratt). */
  #borders: Uint32Array | undefined;
  /** Whether a byte that begins escapes spells a unit by itself. */
  readonly #holdsPercent: boolean;
  readonly #holdsBackslash: boolean;
  /** Its place among the forms of a matcher, which sets it. */
  id = 0;
  /** The number of units; no spelling of the whole has fewer bytes. */
  readonly length: number;

  constructor(kind: Kind, expected: Uint8Array, characters?: Characters) {
    this.#kind = kind;
    this.#values = VALUES[kind];
    this.#expected = expected;
    this.#codeUnits = characters?.codeUnits ?? NO_CODE_UNITS;
    this.#codeUnitBytes = characters?.codeUnitBytes ?? NO_CODE_UNIT_BYTES;
    this.#holdsPercent = expected.includes(this.#values[PERCENT] as number);
    this.#holdsBackslash = expected.includes(this.#values[BACKSLASH] as number);
    this.length = expected.length;
  }

  /** Whether the byte that begins an escape may also be meant by itself: then a trail parts. */
  holdsEscape(byte: number): boolean {
    return byte === PERCENT ? this.#holdsPercent : this.#holdsBackslash;
  }

  /** When `count` units have come: how many of the last ones are the first ones as well, but for all of them. */
  border(count: number): number {
    this.#borders ??= bordersOf(this.#expected);
    return this.#borders[count] as number;
  }

  /** The index after the unit at `index` when `byte` spells it, else 0. */
  afterByte(index: number, byte: number): number {
    return this.#values[byte] === this.#expected[index] ? index + 1 : 0;
  }

  /** The index after the unit at `index` when an escape of this kind and value spells it, else 0. */
  afterEscape(index: number, length: number, value: number): number {
    if (this.#kind === 'text') {
      if (length === PERCENT_ESCAPE) return this.#expected[index] === value ? index + 1 : 0;
      const bytes = this.#codeUnitBytes[index] as number;
      return bytes > 0 && this.#codeUnits[index] === value ? index + bytes : 0;
    }
    const expected = this.#expected[index] as number;
    return this.#kind === 'base64' && expected >= 62 && this.#values[value] === expected ? index + 1 : 0;
  }

  /** The only bytes that spell it, but for the case of letters; undefined when there are others. */
  get plainBytes(): Uint8Array | undefined {
    if (this.#kind === 'text' || (this.#kind === 'base64' && this.#expected.some((value) => value >= 62)))
      return undefined;
    return this.#expected.map((_, index) => this.spellings(index)[0]?.bytes[0] as number);
  }

  /** All spellings of the unit at `index`. */
  spellings(index: number): readonly Spelling[] {
    const value = this.#expected[index] as number;
    const known = SPELLINGS[this.#kind][value];
    if (known !== undefined) return known;
    const spellings = [...byteSpellings(value)];
    const units = this.#codeUnitBytes[index] as number;
    if (units > 0) spellings.push(...jsonEscapes(this.#codeUnits[index] as number).map((bytes) => ({ bytes, units })));
    return spellings;
  }

  /** Marks every byte that a spelling of the whole can begin with. */
  markFirstBytes(marks: Uint8Array): void {
    for (const { bytes } of this.spellings(0)) marks[bytes[0] as number] = 1;
    for (let byte = 0; byte < 256; byte += 1) if (this.afterByte(0, byte) > 0) marks[byte] = 1;
  }

  /** Whether an escape that begins with `bytes[from..]` and is cut off there could spell the unit at `index`. */
  mayContinue(index: number, bytes: Uint8Array, from: number): boolean {
    const given = bytes.length - from;
    return this.spellings(index).some(({ bytes: spelling }) => {
      if (spelling.length <= given) return false;
      for (let i = 0; i < given; i += 1) {
        if (spelling[i] !== lowerCase(bytes[from + i] as number)) return false;
      }
      return true;
    });
  }
}

function bordersOf(units: Uint8Array): Uint32Array {
  const borders = new Uint32Array(units.length + 1);
  let border = 0;
  for (let i = 1; i < units.length; i += 1) {
    while (border > 0 && units[i] !== units[border]) border = borders[border] as number;
    if (units[i] === units[border]) border += 1;
    borders[i + 1] = border;
  }
  return borders;
}

/** Where the characters of a text begin among its bytes. */
export interface Characters {
  readonly codeUnits: Uint16Array;
  readonly codeUnitBytes: Uint8Array;
}

const HYPHEN = 0x2d;
const SLASH = 0x2f;
const UNDERSCORE = 0x5f;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const LOWER_U = 0x75;

const NO_CODE_UNITS = new Uint16Array(0);
const NO_CODE_UNIT_BYTES = new Uint8Array(0);

const HEX_DIGITS = '0123456789abcdef';
const BASE64_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Characters that `\X` stands for: those of RFC 8259 section 7 that are no controls, and the apostrophe of JavaScript. */
export function isShortEscape(byte: number): boolean {
  return byte === 0x22 || byte === 0x27 || byte === SLASH || byte === BACKSLASH;
}

/** The value of a hexadecimal digit, or 255. */
export function hexValue(byte: number): number {
  return VALUES.hex[byte] as number;
}

/** The six bits that a character of either alphabet stands for, or 255. */
export function base64Value(byte: number): number {
  return VALUES.base64[byte] as number;
}

function valueTable(pairs: Iterable<readonly [byte: number, value: number]>): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (const [byte, value] of pairs) table[byte] = value;
  return table;
}

function* characterValues(characters: string): Iterable<readonly [number, number]> {
  for (let i = 0; i < characters.length; i += 1) yield [characters.charCodeAt(i), i];
}

const VALUES: Readonly<Record<Kind, Uint8Array>> = {
  text: Uint8Array.from({ length: 256 }, (_, byte) => byte),
  hex: valueTable([...characterValues(HEX_DIGITS), ...characterValues(HEX_DIGITS.toUpperCase())]),
  base64: valueTable([...characterValues(BASE64_CHARACTERS), [HYPHEN, 62], [UNDERSCORE, 63]]),
};

function hexBytes(value: number, digits: number): number[] {
  return [...value.toString(16).padStart(digits, '0')].map((digit) => digit.charCodeAt(0));
}

function percentEscape(byte: number): number[] {
  return [PERCENT, ...hexBytes(byte, 2)];
}

function jsonEscapes(codeUnit: number): number[][] {
  const long = [BACKSLASH, LOWER_U, ...hexBytes(codeUnit, 4)];
  return isShortEscape(codeUnit) ? [[BACKSLASH, codeUnit], long] : [long];
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

function byteSpellings(byte: number): Spelling[] {
  return [[byte], percentEscape(byte)].map((bytes) => ({ bytes, units: 1 }));
}

function asciiSpellings(byte: number): Spelling[] {
  return [...byteSpellings(byte), ...jsonEscapes(byte).map((bytes) => ({ bytes, units: 1 }))];
}

/** By the value of a unit; of text only what is ASCII, as the rest depends on the character. */
const SPELLINGS: Readonly<Record<Kind, readonly (readonly Spelling[])[]>> = {
  text: Array.from({ length: 0x80 }, (_, byte) => asciiSpellings(byte)),
  hex: Array.from(HEX_DIGITS, (digit) => [{ bytes: [digit.charCodeAt(0)], units: 1 }]),
  base64: Array.from(BASE64_CHARACTERS, (character, value) => {
    if (value < 62) return [{ bytes: [character.charCodeAt(0)], units: 1 }];
    return [character.charCodeAt(0), value === 62 ? HYPHEN : UNDERSCORE].flatMap(asciiSpellings);
  }),
};
