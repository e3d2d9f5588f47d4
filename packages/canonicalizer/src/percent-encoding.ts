import { CanonicalUrlError } from './canonical-url-error.ts';

/**
 * Percent-encoding in canonical form (RFC 3986 section 6.2.2): octets that need no encoding are decoded, hexadecimal digits are
 * upper-case, and what RFC 3986 does not allow raw is encoded. Reserved characters are left as they came: `;` and `%3B` are
 * different targets.
 */

/** Refuses what no request target may hold, before anything is rewritten. */
export function assertTargetCharacters(text: string): void {
  if (/[\0-\x1f\x7f-\x9f]/.test(text)) throw new CanonicalUrlError('control_character');
  if (text.includes('\\')) throw new CanonicalUrlError('raw_backslash');
  if (text.includes(' ')) throw new CanonicalUrlError('raw_space');
  if (text.includes('#')) throw new CanonicalUrlError('fragment');
  if (!text.isWellFormed()) throw new CanonicalUrlError('lone_surrogate');
}

/** The path in canonical percent-encoding; `%2f` and `%5c` stay exactly as written. */
export function encodePath(path: string): string {
  assertEscapes(path);
  const encoded = path
    .replace(/%[0-9A-Fa-f]{2}/g, canonicalPathEscape)
    .replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]+/g, encodeURIComponent);
  // An upstream that decodes these sees a cut or another path: NUL and its like, and ASCII in overlong UTF-8 (RFC 3629 section 10).
  if (/%(?:[01][0-9A-F]|7F)/.test(encoded)) throw new CanonicalUrlError('control_character');
  if (/%(?:C[01]|E0%[89]|F0%8)/.test(encoded)) throw new CanonicalUrlError('bad_percent_encoding');
  return encoded;
}

/**
 * The query in canonical percent-encoding: order, empty parts and `+` are untouched. `'` is always encoded, because the URL
 * standard encodes it in an http query, and the text must be the same for whoever parses it again.
 */
export function encodeQuery(query: string): string {
  assertEscapes(query);
  return query
    .replace(/%[0-9A-Fa-f]{2}/g, canonicalEscape)
    .replace(/[^A-Za-z0-9\-._~!$&()*+,;=:@/?%]+/g, encodeQueryRun);
}

function encodeQueryRun(run: string): string {
  return encodeURIComponent(run).replaceAll("'", '%27');
}

function assertEscapes(text: string): void {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw new CanonicalUrlError('bad_percent_encoding');
}

function canonicalPathEscape(written: string): string {
  return /^%(?:2f|5c)$/i.test(written) ? written : canonicalEscape(written);
}

function canonicalEscape(written: string): string {
  const character = String.fromCharCode(Number.parseInt(written.slice(1), 16));
  return /[A-Za-z0-9\-._~]/.test(character) ? character : written.toUpperCase();
}
