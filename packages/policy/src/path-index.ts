import { ANY_SEGMENTS, ONE_SEGMENT, type PathPattern, segmentEnd } from './path-pattern.ts';

/**
 * A tree over the segments of patterns: a path reaches only the values whose pattern it could fit. Exact up to a pattern's first
 * `**`; what follows it is for the caller to check.
 */
export interface PathIndex<Value> {
  readonly literals: Map<string, PathIndex<Value>>;
  wildcard: PathIndex<Value> | undefined;
  /** Patterns that end here. */
  readonly ends: Value[];
  /** Patterns that go on with `**` from here. */
  readonly open: Value[];
}

export function createPathIndex<Value>(): PathIndex<Value> {
  return { literals: new Map(), wildcard: undefined, ends: [], open: [] };
}

export function addToPathIndex<Value>(root: PathIndex<Value>, pattern: PathPattern, value: Value): void {
  let node = root;
  for (const token of pattern.tokens) {
    if (token === ANY_SEGMENTS) {
      node.open.push(value);
      return;
    }
    node = childFor(node, token);
  }
  node.ends.push(value);
}

/** Appends to `found` every value whose pattern `path` could fit; one value may come several times. */
export function collectFromPathIndex<Value>(root: PathIndex<Value>, path: string, found: Value[]): void {
  collectFrom(root, path, 1, found);
}

function collectFrom<Value>(node: PathIndex<Value>, path: string, at: number, found: Value[]): void {
  for (const value of node.open) found.push(value);
  if (at > path.length) {
    for (const value of node.ends) found.push(value);
    return;
  }
  const end = segmentEnd(path, at);
  if (node.literals.size > 0) {
    const child = node.literals.get(path.slice(at, end));
    if (child !== undefined) collectFrom(child, path, end + 1, found);
  }
  if (node.wildcard !== undefined && end > at) collectFrom(node.wildcard, path, end + 1, found);
}

function childFor<Value>(node: PathIndex<Value>, token: string): PathIndex<Value> {
  if (token === ONE_SEGMENT) {
    node.wildcard ??= createPathIndex();
    return node.wildcard;
  }
  let child = node.literals.get(token);
  if (child === undefined) {
    child = createPathIndex();
    node.literals.set(token, child);
  }
  return child;
}
