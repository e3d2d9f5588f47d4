/** Where a redirect may lead, and what its `Location` becomes. */
export interface RedirectScope {
  /** The URL that was asked, without its query; relative references are resolved against it. */
  readonly requestUrl: string;
  /** Scheme, host, port and path under which a target must lie. */
  readonly base: URL;
  /** Replaces the base URL in what is passed on, e.g. `http://gateway/to/github` or, for a whole host, the empty string; absent: the URL stays absolute. */
  readonly prefix?: string | undefined;
}

/** The statuses whose `Location` a client follows by itself (RFC 9110 section 15.4); 300 and 304 are none of them. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * The `Location` to pass on for one that lies under the base URL; undefined when it lies elsewhere or cannot be read, and the
 * redirect must be refused. What is returned is written anew from the parsed URL, never the upstream's text.
 */
export function judgeRedirect(location: string, scope: RedirectScope): string | undefined {
  if (UNREADABLE.test(location)) return undefined;
  const encoded = location.replace(BYTES_ABOVE_ASCII, encodeByte);
  if (!URL.canParse(encoded, scope.requestUrl)) return undefined;
  const url = new URL(encoded, scope.requestUrl);
  const base = scope.base;
  if (url.protocol !== base.protocol || url.host !== base.host || url.username !== '' || url.password !== '')
    return undefined;
  const basePath = base.pathname.endsWith('/') ? base.pathname.slice(0, -1) : base.pathname;
  if (url.pathname !== basePath && !url.pathname.startsWith(basePath + '/')) return undefined;
  if (hidesDotSegment(url.pathname)) return undefined;
  if (scope.prefix === undefined) return url.href;
  const rewritten = scope.prefix + url.pathname.slice(basePath.length) + url.search + url.hash;
  // Alone, `//name/…` would be another host; the dot segment keeps it a path (WHATWG URL, "URL path serializer").
  return rewritten.startsWith('//') ? '/.' + rewritten : rewritten;
}

/** Whether a path would hold a dot segment once its encoded separators were decoded, as lenient upstreams do. */
export function hidesDotSegment(path: string): boolean {
  const decoded = path.replace(/%2f|%5c|\\/gi, '/').replace(/%2e/gi, '.');
  return decoded.split('/').some((segment) => segment === '.' || segment === '..');
}

/** Empty, or with a control character, a space or a backslash, which URL parsers take in different ways. */
const UNREADABLE = /^$|[\u0000-\u0020\u007f\\]/;

/** Field values are latin1 here; the bytes of an unencoded name are kept as they are. */
const BYTES_ABOVE_ASCII = /[\u0080-\u00ff]/g;

function encodeByte(character: string): string {
  return '%' + character.charCodeAt(0).toString(16).toUpperCase();
}
