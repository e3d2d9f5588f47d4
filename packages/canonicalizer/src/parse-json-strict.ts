import { JsonError, type JsonValue } from './json-error.ts';

const DEPTH_MAX = 128;

/** With fewer characters a number is neither beyond 2^53 and inexact nor too small for a double. */
const LONG_NUMBER_LENGTH = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;

export interface ParseJsonOptions {
  /** How many arrays and objects may lie within one another; default 128. */
  readonly depthMax?: number;
}

/**
 * Parses JSON so that no other correct parser can read something else in it (RFC 8259, narrowed by I-JSON, RFC 7493).
 *
 * Refused beside bad syntax: an object with two members of one name (also when one is spelled with escapes), lone surrogates,
 * numbers that overflow or are too small, whole numbers whose digits a double does not keep, and nesting past `depthMax`. A member named
 * `__proto__` becomes an ordinary own property.
 *
 * How duplicates are found: `JSON.parse` keeps one member of each name, so the text has more colons outside strings than the value
 * has members exactly when a name was repeated.
 *
 * @throws JsonError with the code `syntax`, `duplicate_key`, `lone_surrogate`, `number` or `depth`
 */
export function parseJsonStrict(text: string, options: ParseJsonOptions = {}): JsonValue {
  const membersInText = countMembersInText(text, options.depthMax ?? DEPTH_MAX);
  const value = parse(text);
  if (countMembers(value) !== membersInText) {
    throw new JsonError('duplicate_key', 'an object has two members of the same name');
  }
  return value;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw new JsonError('syntax', position === undefined ? 'not valid JSON' : `not valid JSON at position ${position}`);
  }
}

/** One pass before parsing: bounds the depth, checks long integers, counts the colons outside strings. Syntax is `parse`'s business. */
function countMembersInText(text: string, depthMax: number): number {
  let members = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) {
      index = endOfString(text, index + 1);
    } else if (code === 0x3a) {
      members += 1;
    } else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > depthMax) throw new JsonError('depth', `the text is nested deeper than ${depthMax} levels`);
    } else if (code === 0x5d || code === 0x7d) {
      depth -= 1;
    } else if (isDigit(code)) {
      const end = endOfNumber(text, index);
      if (end - index >= LONG_NUMBER_LENGTH) assertKeepsDigits(text.slice(index, end));
      index = end - 1;
    }
  }
  return members;
}

/** The index of the quote that closes the string, or the end of the text. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start);
  while (quote !== -1) {
    let before = quote - 1;
    while (before >= start && text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    // Beside digits: + - . E e
    if (!isDigit(code) && code !== 0x2b && code !== 0x2d && code !== 0x2e && code !== 0x45 && code !== 0x65) break;
    end += 1;
  }
  return end;
}

/**
 * Refuses 9007199254740993, also as …993.0 and …993e0, which a double reads as …992 while the upstream may read every digit, and 1e-400,
 * which a double reads as 0. Other fractions are approximate by nature. Syntax is `parse`'s business.
 */
function assertKeepsDigits(token: string): void {
  const value = Number(token);
  if (value === 0) {
    if (/^[^eE]*[1-9]/.test(token)) throw new JsonError('number', 'a number is too small');
    return;
  }
  if (!(value > Number.MAX_SAFE_INTEGER) || value === Number.POSITIVE_INFINITY) return;
  const isKept = /^\d+$/.test(token)
    ? String(value) === token
    : significantDigits(String(value)) === significantDigits(token);
  if (!isKept) throw new JsonError('number', 'a whole number has more digits than a double keeps; send it as a string');
}

/** Without exponent, point, and zeros at either end. */
function significantDigits(token: string): string {
  const [mantissa = ''] = token.split(/[eE]/, 1);
  const digits = mantissa.replace('.', '').replace(/^0+/, '');
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === ZERO) end -= 1;
  return digits.slice(0, end);
}

/** Recursion is bounded: the text's depth was checked before it was parsed. */
function countMembers(value: JsonValue): number {
  if (typeof value === 'string') {
    assertWellFormed(value);
    return 0;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new JsonError('number', 'a number is too large');
    return 0;
  }
  if (value === null || typeof value === 'boolean') return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item);
    return members;
  }
  for (const name of Object.keys(value)) {
    assertWellFormed(name);
    members += 1 + countMembers(value[name] as JsonValue);
  }
  return members;
}

function assertWellFormed(text: string): void {
  if (!text.isWellFormed()) throw new JsonError('lone_surrogate', 'a string holds a lone surrogate');
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
