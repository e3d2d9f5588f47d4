import { type Origin, type Scheme, splitOrigin } from './authority.ts';
import { canonicalPath, liesUnder } from './canonical-path.ts';
import { CanonicalUrlError } from './canonical-url-error.ts';
import { assertTargetCharacters, encodeQuery } from './percent-encoding.ts';

/** Specification section 4: a URL holds at most 8 KiB. Canonical text is ASCII, so characters are bytes. */
const URL_BYTES_MAX = 8_192;

/** What is judged and what is sent: `scheme`, `host`, `port` are dialled, `pathAndQuery` goes on the request line byte for byte. */
export interface CanonicalTarget {
  readonly url: string;
  readonly scheme: Scheme;
  /** Lower-case ASCII without trailing dot; an IPv6 address in brackets. */
  readonly host: string;
  /** The port in effect, 1 to 65535. */
  readonly port: number;
  /** The complete path of the canonical URL, base path included. */
  readonly path: string;
  /** Without `?`; empty when there is none. */
  readonly query: string;
  /** Tells `/a?` from `/a`. */
  readonly hasQuery: boolean;
  readonly pathAndQuery: string;
}

/**
 * `octets`: a request line as node:http gives it, one character a byte; anything outside ASCII is refused, its encoding is unknown.
 * `unicode`: a JSON string; characters outside ASCII are percent-encoded as UTF-8.
 */
export type TargetText = 'octets' | 'unicode';

export interface TargetCanonicaliser {
  /** The canonical base URL; its `path` has no trailing slash unless it is `/`. */
  readonly base: CanonicalTarget;
  /**
   * Base URL without trailing slash + path as received. `pathAndQuery` is empty or begins with `/` or `?`; `text` defaults to
   * `octets`. Throws CanonicalUrlError.
   */
  fromPath(pathAndQuery: string, text?: TargetText): CanonicalTarget;
  /**
   * An absolute URL (Unicode text) with the base's scheme, one of `hosts` (canonical names as `base.host`) and one of `ports`
   * (default: the base's); on the base's host it must lie under the base path. Throws CanonicalUrlError.
   */
  fromUrl(url: string, hosts: readonly string[], ports?: readonly number[]): CanonicalTarget;
}

/**
 * A target whose canonical form is itself: only characters that RFC 3986 allows raw, no segment that begins with a dot, escapes
 * in upper case and only of octets that need one. In the path also no escape of a control, of `/` and `\`, or of an overlong form.
 * What fails here may still be canonical: it takes the long way.
 */
const PATH_ESCAPE = '2[0-9A-C]|3[A-F]|40|5[BDE]|60|7[BCD]|[89ABD][0-9A-F]|C[2-9A-F]|[EF][1-9A-F]';
const QUERY_ESCAPE = '[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF]';
const CANONICAL_TARGET = new RegExp(
  `^(?:/(?!\\.)(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|%(?:${PATH_ESCAPE}))*)+` +
    `(?:\\?(?:[A-Za-z0-9\\-._~!$&()*+,;=:@/?]|%(?:${QUERY_ESCAPE}))*)?$`,
);

/**
 * Makes the canonicaliser of one integration. Targets that are canonical as they come, which is nearly all, cost one test and one
 * concatenation.
 *
 * @throws CanonicalUrlError when the base URL is not acceptable
 */
export function createTargetCanonicaliser(baseUrl: string): TargetCanonicaliser {
  const base = parseBase(baseUrl);
  const origin: Origin = splitOrigin(base.url).origin;
  const basePath = base.path === '/' ? '' : base.path;

  function fromPath(pathAndQuery: string, text: TargetText = 'octets'): CanonicalTarget {
    assertLength(pathAndQuery);
    if (CANONICAL_TARGET.test(pathAndQuery)) return target(origin, basePath + pathAndQuery);
    if (text === 'octets' && /[^\0-\x7f]/.test(pathAndQuery)) throw new CanonicalUrlError('non_ascii');
    assertTargetCharacters(pathAndQuery);
    if (pathAndQuery !== '' && !/^[/?]/.test(pathAndQuery)) throw new CanonicalUrlError('not_absolute');
    return underBase(target(origin, canonicalPathAndQuery(basePath + pathAndQuery)));
  }

  function fromUrl(url: string, hosts: readonly string[], ports: readonly number[] = [base.port]): CanonicalTarget {
    const found = parseAbsoluteUrl(url);
    if (found.scheme !== base.scheme) throw new CanonicalUrlError('bad_scheme');
    if (!hosts.includes(found.host)) throw new CanonicalUrlError('bad_host');
    if (!ports.includes(found.port)) throw new CanonicalUrlError('bad_port');
    return found.host === base.host ? underBase(found) : found;
  }

  function underBase(found: CanonicalTarget): CanonicalTarget {
    if (!liesUnder(found.path, basePath)) throw new CanonicalUrlError('outside_base');
    return found;
  }

  return { base, fromPath, fromUrl };
}

/** The canonical form of an absolute http or https URL (Unicode text). Throws CanonicalUrlError. */
export function parseAbsoluteUrl(url: string): CanonicalTarget {
  assertLength(url);
  assertTargetCharacters(url);
  const { origin, rest } = splitOrigin(url);
  return target(origin, canonicalPathAndQuery(rest));
}

function parseBase(baseUrl: string): CanonicalTarget {
  if (/[?#]/.test(baseUrl)) throw new CanonicalUrlError('bad_base');
  const given = parseAbsoluteUrl(baseUrl);
  return given.path.length > 1 && given.path.endsWith('/') ? parseAbsoluteUrl(given.url.slice(0, -1)) : given;
}

function canonicalPathAndQuery(written: string): string {
  const mark = written.indexOf('?');
  const path = mark === -1 ? written : written.slice(0, mark);
  const canonical = path === '' ? '/' : canonicalPath(path);
  return mark === -1 ? canonical : `${canonical}?${encodeQuery(written.slice(mark + 1))}`;
}

function target(origin: Origin, pathAndQuery: string): CanonicalTarget {
  const url = origin.text + pathAndQuery;
  assertLength(url);
  const mark = pathAndQuery.indexOf('?');
  const hasQuery = mark !== -1;
  return {
    url,
    scheme: origin.scheme,
    host: origin.host,
    port: origin.port,
    path: hasQuery ? pathAndQuery.slice(0, mark) : pathAndQuery,
    query: hasQuery ? pathAndQuery.slice(mark + 1) : '',
    hasQuery,
    pathAndQuery,
  };
}

function assertLength(text: string): void {
  if (text.length > URL_BYTES_MAX) throw new CanonicalUrlError('too_long');
}
