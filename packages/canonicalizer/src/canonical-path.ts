import { CanonicalUrlError } from './canonical-url-error.ts';
import { encodePath } from './percent-encoding.ts';

/**
 * The canonical form of an absolute path: percent-encoding as `encodePath` says, dot segments resolved (RFC 3986 section 5.2.4).
 * Empty segments are kept: `//a` and `/a` are different paths.
 *
 * @throws CanonicalUrlError
 */
export function canonicalPath(path: string): string {
  const segments = encodePath(path).split('/');
  const last = segments.length - 1;
  const kept: string[] = [];
  // The first item is what lies before the leading slash: nothing.
  for (let index = 1; index <= last; index += 1) {
    const segment = segments[index] as string;
    if (segment === '.' || segment === '..') {
      if (segment === '..') kept.pop();
      if (index === last) kept.push('');
      continue;
    }
    assertNoHiddenDotSegment(segment);
    kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

/** True when the path is the base path or lies under it, at a segment boundary. `basePath` has no trailing slash. */
export function liesUnder(path: string, basePath: string): boolean {
  return path === basePath || path.startsWith(`${basePath}/`);
}

/**
 * Some upstreams decode `%2F` and `%5C` before they resolve dot segments, and some drop path parameters (`..;x`) first. A segment
 * that would be or hold `.` or `..` there is refused, since it would leave the path that was judged.
 */
function assertNoHiddenDotSegment(segment: string): void {
  if (!segment.includes('.')) return;
  for (const part of segment.split(/%2f|%5c/i)) {
    if (/^\.\.?(?:$|;|%3B)/.test(part)) throw new CanonicalUrlError('dot_segment_encoded');
  }
}
