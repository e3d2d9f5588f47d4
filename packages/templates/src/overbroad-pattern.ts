import { compilePathPattern, foldedPath } from '@postern/policy';

/**
 * Whether a pattern has wildcards and names nothing: no segment of it is a literal, but for those of the base path at its beginning.
 * Such are `/**`, `/*`, `/{a}/{b}/**`, and under the base path `/v1` also `/v1/**`. `/v1/things/**` and `/` name something.
 */
export function namesNothing(pattern: string, basePath: string): boolean {
  const { tokens } = compilePathPattern(pattern);
  const base = basePath === '/' ? [] : foldedPath(basePath).slice(1).split('/');
  const names = tokens.some((token, place) => !isWildcard(token) && token !== '' && token !== base[place]);
  return !names && tokens.some(isWildcard);
}

/** A literal token can be neither. */
function isWildcard(token: string): boolean {
  return token === '*' || token === '**';
}
