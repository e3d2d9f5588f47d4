/** Stands for one non-empty segment; `{name}` is another spelling of it. */
export const ONE_SEGMENT = '*';
/** Stands for zero or more segments. */
export const ANY_SEGMENTS = '**';

const PATTERN_LENGTH_MAX = 1024;
const NAMED_SEGMENT = /^\{[A-Za-z0-9_.-]+\}$/;

/** A pattern taken apart. A literal can be neither `*` nor `**`, so plain strings tell the three kinds of token apart. */
export interface PathPattern {
  readonly text: string;
  /** One token a segment, the leading slash left out. */
  readonly tokens: readonly string[];
  /** Characters before the first wildcard, without the slash that leads to it. */
  readonly literalPrefixLength: number;
}

/**
 * Whether `path` (a complete canonical path, no query) fits `pattern`: `*` and `{name}` are exactly one non-empty segment, `**` is
 * zero or more segments, everything else is itself, case-sensitive. A trailing slash is an empty last segment.
 * A pattern or path that does not begin with `/` fits nothing; rules refuse such patterns when they are compiled.
 */
export function matchPath(pattern: string, path: string): boolean {
  return pattern.startsWith('/') && matchesPattern(compilePathPattern(pattern), foldedPath(path));
}

/**
 * `path` in the one form that patterns and paths are compared in, so that no rule is dodged by another spelling of the same path:
 * `%2f` and `%5c`, which a canonical path has as the caller wrote them, in upper case (RFC 3986 section 6.2.2.1); characters that a
 * segment may hold raw or encoded (`:`, `@` and the sub-delims) raw, since upstreams read both alike; `*`, which in a pattern is a
 * wildcard, always encoded.
 */
export function foldedPath(path: string): string {
  const starless = path.includes('*') ? path.replaceAll('*', '%2A') : path;
  return starless.includes('%') ? starless.replace(FOLDED_ESCAPE, foldEscape) : starless;
}

/** RFC 3986 section 3.3: what a segment may hold beside unreserved characters, without `*`; and the two that keep their case. */
const FOLDED_ESCAPE = /%(?:2[146-9BCFcf]|3[ABDabd]|40|5[Cc])/g;

function foldEscape(encoded: string): string {
  const upper = encoded.toUpperCase();
  return upper === '%2F' || upper === '%5C' ? upper : String.fromCharCode(Number.parseInt(upper.slice(1), 16));
}

/** Takes apart a pattern that `pathPatternProblem` has nothing against. */
export function compilePathPattern(text: string): PathPattern {
  const tokens = text
    .slice(1)
    .split('/')
    .map((segment) => {
      if (segment === ONE_SEGMENT || segment === ANY_SEGMENTS) return segment;
      return NAMED_SEGMENT.test(segment) ? ONE_SEGMENT : foldedPath(segment);
    });
  const wildcard = tokens.findIndex((token) => token === ONE_SEGMENT || token === ANY_SEGMENTS);
  const literals = wildcard === -1 ? tokens : tokens.slice(0, wildcard);
  const literalPrefixLength = literals.reduce((length, literal) => length + 1 + literal.length, 0);
  return { text, tokens, literalPrefixLength };
}

/**
 * Whether a folded path fits. Its segments are walked by position, so that a match allocates nothing. On a mismatch the last `**`
 * takes one more segment; earlier ones never need to, since the last can take whatever they would. So the steps are at most
 * tokens times segments.
 */
export function matchesPattern(pattern: PathPattern, path: string): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  const { tokens } = pattern;
  let token = 0;
  let at = 1;
  let retryToken = -1;
  let retryAt = 0;
  while (at <= path.length) {
    if (tokens[token] === ANY_SEGMENTS) {
      token += 1;
      if (token === tokens.length) return true;
      retryToken = token;
      retryAt = at;
      continue;
    }
    const end = segmentEnd(path, at);
    if (token < tokens.length && matchesSegment(tokens[token] as string, path, at, end)) {
      token += 1;
      at = end + 1;
      continue;
    }
    if (retryToken === -1) return false;
    retryAt = segmentEnd(path, retryAt) + 1;
    at = retryAt;
    token = retryToken;
  }
  while (tokens[token] === ANY_SEGMENTS) token += 1;
  return token === tokens.length;
}

/** Where the segment that starts at `at` ends: the next slash, or the end of the path. */
export function segmentEnd(path: string, at: number): number {
  const slash = path.indexOf('/', at);
  return slash === -1 ? path.length : slash;
}

function matchesSegment(token: string, path: string, at: number, end: number): boolean {
  if (token === ONE_SEGMENT) return end > at;
  return token.length === end - at && path.startsWith(token, at);
}

const SLASH = 0x2f;

/**
 * Why `text` cannot be a pattern, or undefined. A literal that no canonical path can hold is refused: in a deny rule it would
 * silently refuse nothing.
 */
export function pathPatternProblem(text: string): string | undefined {
  if (!text.startsWith('/')) return 'must begin with "/"';
  if (text.length > PATTERN_LENGTH_MAX) return `must have at most ${PATTERN_LENGTH_MAX} characters`;
  for (const segment of text.slice(1).split('/')) {
    if (segment === ONE_SEGMENT || segment === ANY_SEGMENTS || NAMED_SEGMENT.test(segment)) continue;
    const problem = literalProblem(segment);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function literalProblem(segment: string): string | undefined {
  if (segment.includes('*')) return 'may use "*" and "**" only as a whole segment';
  if (/[{}]/.test(segment))
    return 'may use {name} only as a whole segment, with letters, digits, ".", "_" or "-" inside';
  if (/[?#]/.test(segment)) return 'must be a path alone, without query or fragment';
  if (segment.includes('\\')) return 'must not hold a backslash';
  if (/[^A-Za-z0-9\-._~!$&'()+,;=:@%]/.test(segment)) return 'must be percent-encoded as in a canonical URL';
  for (const part of segment.replace(/%2e/gi, '.').split(/%2f|%5c/i)) {
    if (/^\.\.?(?:$|;|%3b)/i.test(part)) return 'must not hold a dot segment';
  }
  return encodingProblem(segment);
}

/** RFC 3986 section 6.2.2: canonical paths write hex digits in upper case (but see `foldedPath`) and encode no unreserved character. */
function encodingProblem(segment: string): string | undefined {
  for (const [encoded, digits = ''] of segment.matchAll(/%(.{0,2})/g)) {
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return 'must have two hexadecimal digits after each "%"';
    if (/^%(?:[01]|7f)/i.test(encoded)) return 'must not hold a control character';
    if (encoded !== encoded.toUpperCase() && !/^%(?:2f|5c)$/.test(encoded))
      return `must write ${encoded} as ${encoded.toUpperCase()}`;
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    if (/^[A-Za-z0-9._~-]$/.test(character)) return `must write ${encoded} as ${character}`;
  }
  return undefined;
}
