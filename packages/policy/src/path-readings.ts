import { decodeFully, decodeUtf8, isAscii, withoutForm, withoutUnicodeForm } from './decode-fully.ts';
import { ANY_SEGMENTS, foldedPath, matchesPattern, ONE_SEGMENT, type PathPattern } from './path-pattern.ts';

/**
 * What an upstream may read in a path beside what is written: many take `//` for `/`, `/Admin` for `/admin` or `/a/` for `/a`, some
 * decode twice, drop `;parameters` or take `%2f` for a slash. Rules that close are held against all readings, rules that open against
 * what is written, so that another spelling can only ever tighten a verdict. Patterns are read the same way, to be compared with them.
 *
 * Each reading goes further than the one before it.
 */
export interface PathReadings {
  /** Letters in lower case and in one Unicode form, no empty segment, no trailing slash. Segments stay the same otherwise. */
  readonly alike: string;
  /** Also decoded until nothing is left to decode, without `;parameters`, without the dots and spaces at the end of a segment. */
  readonly decoded: string;
  /** Also with `%2f` and `%5c` as slashes, and cut at `%3f` and `%23`. */
  readonly split: string;
  /**
   * For conditions, which compare texts: as `decoded`, but with its letters and encoded as a canonical path is. What is written, unless
   * it has an empty segment within, `;parameters` or a disguise.
   */
  readonly text: string;
  /** Something in it is encoded twice, or is a delimiter only in another Unicode form. */
  readonly isDisguised: boolean;
  /** Decoded again it would be no path: it has a dot segment, a control character or overlong UTF-8. Nobody can tell what it means. */
  readonly isUnreadable: boolean;
}

/** The readings of a pattern; they are one object where they do not differ, as almost always. */
export interface PatternReadings {
  readonly alike: PathPattern;
  readonly decoded: PathPattern;
  readonly split: PathPattern;
}

/** Beside capital letters, whatever makes readings differ from what is written. */
const UNUSUAL = /[%;]|\/\/|\/$|\.(?:\/|$)/;

/** `path` is canonical and folded (`foldedPath`). Costs one test where it is ordinary. */
export function readPath(path: string): PathReadings {
  if (UNUSUAL.test(path)) return readUnusual(path);
  const alike = path.toLowerCase();
  return { alike, decoded: alike, split: alike, text: path, isDisguised: false, isUnreadable: false };
}

/** Whether all readings of the path are the path itself. */
export function isReadAsWritten(path: string): boolean {
  return !UNUSUAL.test(path) && path.toLowerCase() === path;
}

/** Of a pattern; a literal that cannot be read stays as it is. */
export function readPattern(pattern: PathPattern): PatternReadings {
  const alike = withTokens(pattern, alikeTokens(pattern.tokens));
  const decoded = withTokens(alike, decodedTokens(pattern.tokens, false));
  const split = withTokens(decoded, decodedTokens(pattern.tokens, true));
  return { alike, decoded, split };
}

/** Whether a rule that closes and has this pattern covers the path. */
export function anyReadingFits(pattern: PatternReadings, path: PathReadings): boolean {
  if (matchesPattern(pattern.alike, path.alike)) return true;
  const isDecodedAlike = pattern.decoded === pattern.alike && path.decoded === path.alike;
  if (!isDecodedAlike && matchesPattern(pattern.decoded, path.decoded)) return true;
  const isSplitAlike = pattern.split === pattern.decoded && path.split === path.decoded;
  return !isSplitAlike && matchesPattern(pattern.split, path.split);
}

/** A call's path is read once for its action and once for its rules. */
let lastRead: { readonly path: string; readonly readings: PathReadings } | undefined;

function readUnusual(path: string): PathReadings {
  if (lastRead?.path !== path) lastRead = { path, readings: readAnew(path) };
  return lastRead.readings;
}

function readAnew(path: string): PathReadings {
  const segments = path.slice(1).split('/').map(alikeSegment);
  const alike = joined(segments.filter((segment) => segment !== ''));
  const isDisguised = path.includes('%') && hasDisguise(path);
  const written = withStandIns(path);
  const text = decodeFully(written, withoutForm);
  if (text === undefined || !isReadable(text)) return unreadable(path, alike);
  const decoded = segmentsOf(text);
  const split = written === path ? decoded : segmentsOf(withMeanings(text));
  if (decoded.hasDots || split.hasDots) return unreadable(path, alike);
  return {
    alike,
    decoded: joined(decoded.list),
    split: joined(split.list),
    text: isDisguised || ODD.test(path) ? canonicalText(written) : path,
    isDisguised,
    isUnreadable: false,
  };
}

function unreadable(path: string, alike: string): PathReadings {
  return { alike, decoded: alike, split: alike, text: path, isDisguised: true, isUnreadable: true };
}

const ODD = /\/\/|;/;
const ENCODED_TWICE = /%25[0-9A-Fa-f]{2}/;
const OUTSIDE_ASCII = /%[89A-Fa-f]/;

function hasDisguise(path: string): boolean {
  if (ENCODED_TWICE.test(path)) return true;
  if (!OUTSIDE_ASCII.test(path)) return false;
  const text = decodeUtf8(path);
  return !isAscii(text) && delimiterCount(text) !== delimiterCount(withoutUnicodeForm(text));
}

function delimiterCount(text: string): number {
  return text.match(/[/\\?#;%.]/g)?.length ?? 0;
}

/** The path as somebody sees it who decodes it once more, spelled as a canonical path. */
function canonicalText(written: string): string {
  const text = decodeFully(written, withoutUnicodeForm) ?? written;
  const segments = segmentsOf(text).list.map((segment) => {
    return encodeURIComponent(segment).replace(/%EF%B7%9[0-3]/g, (standIn) => escapeOf(decodeURIComponent(standIn)));
  });
  return foldedPath(`/${segments.join('/')}`);
}

function withTokens(pattern: PathPattern, tokens: readonly string[]): PathPattern {
  const read = tokens.length === 0 ? ROOT : tokens;
  const isSame = read.length === pattern.tokens.length && read.every((token, at) => token === pattern.tokens[at]);
  return isSame ? pattern : { ...pattern, tokens: read };
}

const ROOT: readonly string[] = [''];

function alikeTokens(tokens: readonly string[]): string[] {
  return tokens.map((token) => (isWildcard(token) ? token : alikeSegment(token))).filter((token) => token !== '');
}

function decodedTokens(tokens: readonly string[], isSplit: boolean): string[] {
  const read: string[] = [];
  for (const token of tokens) {
    if (isWildcard(token)) {
      read.push(token);
      continue;
    }
    const text = decodeFully(withStandIns(token), withoutForm);
    const found = text === undefined || !isReadable(text) ? undefined : segmentsOf(isSplit ? withMeanings(text) : text);
    if (found === undefined || found.hasDots) read.push(alikeSegment(token));
    else read.push(...found.list.map(withoutStar));
    if (found?.isCut === true) break;
  }
  return read;
}

function isWildcard(token: string): boolean {
  return token === ONE_SEGMENT || token === ANY_SEGMENTS;
}

/** ASCII escapes stay, so that a segment stays one: a slash that only another Unicode form has becomes one. */
function alikeSegment(segment: string): string {
  if (!segment.includes('%')) return segment.toLowerCase();
  const text = withoutForm(decodeUtf8(segment));
  return withoutStar(text.replaceAll('/', '%2f').replaceAll('\\', '%5c'));
}

function joined(segments: readonly string[]): string {
  return withoutStar(`/${segments.join('/')}`);
}

/** A `*` that is none of a pattern's wildcards is written as an escape, in paths and patterns alike. */
function withoutStar(text: string): string {
  return text.replaceAll('*', '%2a');
}

/** No control character, and no ASCII in overlong UTF-8 (RFC 3629 section 10). */
function isReadable(text: string): boolean {
  return !/[\0-\x1f\x7f]|%(?:c[01]|e0%[89]|f0%8)/i.test(text);
}

/**
 * What a canonical path has as an escape alone, and what means something to who decodes before splitting. While all else is decoded,
 * noncharacters (Unicode 23.7) stand for them.
 */
const ENCODED_DELIMITER = /%(?:2F|5C|3F|23)/g;
const STAND_IN = /[\uFDD0-\uFDD3]/g;
const FIRST_STAND_IN = 0xfdd0;
const ESCAPES: readonly string[] = ['%2F', '%5C', '%3F', '%23'];
const MEANINGS: readonly string[] = ['/', '\\', '?', '#'];

function withStandIns(text: string): string {
  return text.replace(ENCODED_DELIMITER, (delimiter) => {
    return String.fromCharCode(FIRST_STAND_IN + ESCAPES.indexOf(delimiter));
  });
}

function withMeanings(text: string): string {
  return text.replace(STAND_IN, (standIn) => MEANINGS[standIn.charCodeAt(0) - FIRST_STAND_IN] as string);
}

function escapeOf(standIn: string): string {
  return ESCAPES[standIn.charCodeAt(0) - FIRST_STAND_IN] as string;
}

interface Segments {
  readonly list: readonly string[];
  readonly hasDots: boolean;
  /** A `?` or `#` ended the path. */
  readonly isCut: boolean;
}

function segmentsOf(text: string): Segments {
  const end = text.search(/[?#]/);
  const list: string[] = [];
  let hasDots = false;
  for (const written of (end === -1 ? text : text.slice(0, end)).split(/[/\\]/)) {
    const parameters = written.indexOf(';');
    const segment = withoutEnd(parameters === -1 ? written : written.slice(0, parameters), ' ');
    if (segment === '') continue;
    if (segment === '.' || segment === '..') hasDots = true;
    list.push(withoutEnd(segment, '. ') || segment);
  }
  return { list, hasDots, isCut: end !== -1 };
}

function withoutEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1] as string)) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}
