import { createTargetCanonicaliser, parseAbsoluteUrl } from './target-canonicaliser.ts';

/**
 * The one spelling of a URL that is judged, signed and sent (specification section 3).
 *
 * Without `base` the URL must be absolute. With `base`, a text that is empty or begins with `/` or `?` is appended to the base URL
 * without its trailing slash; any other must be an absolute URL with the base's scheme, host and port, under its path.
 *
 * @throws CanonicalUrlError with a `code`
 */
export function canonicaliseUrl(url: string, base?: string): string {
  if (base === undefined) return parseAbsoluteUrl(url).url;
  const canonicaliser = createTargetCanonicaliser(base);
  const isPath = url === '' || url.startsWith('/') || url.startsWith('?');
  const found = isPath ? canonicaliser.fromPath(url, 'unicode') : canonicaliser.fromUrl(url, [canonicaliser.base.host]);
  return found.url;
}
