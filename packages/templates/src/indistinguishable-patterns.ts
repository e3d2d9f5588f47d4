import { compilePathPattern } from '@postern/policy';
import type { Action } from '@postern/schemas';

export interface IndistinguishablePattern {
  /** Place of the action in the list, and of the pattern among its `paths`. */
  readonly action: number;
  readonly place: number;
  /** The name of the action that is like it. */
  readonly other: string;
  readonly method: string;
}

/**
 * Patterns of different actions that fit one call and of which neither is more specific, so that no order of specificity says which of
 * the actions the call is.
 */
export function indistinguishablePatterns(actions: readonly Action[]): readonly IndistinguishablePattern[] {
  const owners = new Map<string, number>();
  const found: IndistinguishablePattern[] = [];
  for (const [action, { methods, paths }] of actions.entries()) {
    for (const [place, path] of paths.entries()) {
      const key = likenessOf(compilePathPattern(path).tokens);
      for (const method of methods) {
        const owner = owners.get(`${method} ${key}`);
        if (owner === undefined) owners.set(`${method} ${key}`, action);
        else if (owner !== action) found.push({ action, place, other: actions[owner]?.name ?? '', method });
      }
    }
  }
  return found;
}

/**
 * Equal for two patterns when they are equally specific and some path fits both. Equally specific are those that have the same kinds of
 * segment in the same places. Of those without `**` a path fits both when the literals are the same; of those with `**` when the
 * literals before the first and after the last one are: what stands between may follow one after the other, each `**` of the one taking
 * what the other names.
 */
function likenessOf(tokens: readonly string[]): string {
  const first = tokens.indexOf('**');
  const last = tokens.lastIndexOf('**');
  return tokens.map((token, place) => (place > first && place < last && !isWildcard(token) ? '?' : token)).join('/');
}

function isWildcard(token: string): boolean {
  return token === '*' || token === '**';
}
