import { ProxyRefusal } from './proxy-refusal.ts';
import { hidesDotSegment } from './redirect.ts';

/** A query: ready text without `?`, or names with one or several values. */
export type Query = string | Readonly<Record<string, string | readonly string[]>>;

/**
 * The origin form of base path + `path` + `query`, canonical as the WHATWG URL parser makes it. Throws `ProxyRefusal`
 * `target_invalid` for a path that leaves the base path, also when an upstream decoded its `%2f` or `%5c`, or that holds a
 * backslash, a fragment or a control character.
 */
export function joinTargetPath(base: URL, path: string, query?: Query): string {
  if (!path.startsWith('/')) throw new ProxyRefusal('target_invalid', 'the path must begin with "/"');
  if (UNREADABLE.test(path)) throw new ProxyRefusal('target_invalid', 'the path holds a character that no path has');
  const basePath = base.pathname.endsWith('/') ? base.pathname.slice(0, -1) : base.pathname;
  const url = new URL(base.origin + basePath + path);
  if (url.pathname !== basePath && !url.pathname.startsWith(basePath + '/')) {
    throw new ProxyRefusal('target_invalid', 'the path leads out of the base URL');
  }
  if (hidesDotSegment(url.pathname)) throw new ProxyRefusal('target_invalid', 'the path hides a dot segment');
  if (query !== undefined) {
    if (path.includes('?')) throw new ProxyRefusal('target_invalid', 'the query is given twice');
    url.search = queryText(query);
  }
  return url.pathname + url.search;
}

function queryText(query: Query): string {
  if (typeof query === 'string') {
    if (UNREADABLE.test(query))
      throw new ProxyRefusal('target_invalid', 'the query holds a character that no query has');
    return query;
  }
  const params = new URLSearchParams();
  for (const [name, values] of Object.entries(query)) {
    for (const value of typeof values === 'string' ? [values] : values) params.append(name, value);
  }
  return params.toString();
}

/** A backslash, a fragment, or a control character: URL parsers drop or reinterpret them. */
const UNREADABLE = /[\u0000-\u001f\u007f\\#]/;
