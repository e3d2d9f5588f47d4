import canonicalize from 'canonicalize';
import { JsonError } from './json-error.ts';

/** Deeper values are taken for cycles. */
const DEPTH_MAX = 1_000;

/**
 * The RFC 8785 (JCS) text of a JSON value.
 *
 * Unlike `JSON.stringify` it drops and converts nothing: undefined (also as a member or an array hole), functions, symbols, big
 * integers, NaN, infinities, lone surrogates, and objects that are not plain (Date, Map, class instances) are refused, so two
 * different values never have one text.
 *
 * @throws JsonError with the code `not_json`, `number`, `lone_surrogate` or `depth` (deeper than 1,000, or a cycle)
 */
export function canonicalJson(value: unknown): string {
  assertJson(value, 0);
  const text = canonicalize(value);
  if (text === undefined) throw new JsonError('not_json', 'the value has no JSON form');
  return text;
}

function assertJson(value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
      assertWellFormed(value);
      return;
    case 'number':
      if (!Number.isFinite(value)) throw new JsonError('number', `${value} has no JSON form`);
      return;
    case 'boolean':
      return;
    case 'object':
      if (value !== null) assertContainer(value, depth + 1);
      return;
    case 'undefined':
    case 'function':
    case 'symbol':
    case 'bigint':
      throw new JsonError('not_json', `a value of type ${typeof value} has no JSON form`);
  }
}

function assertContainer(container: object, depth: number): void {
  if (depth > DEPTH_MAX)
    throw new JsonError('depth', `the value is nested deeper than ${DEPTH_MAX} levels or is cyclic`);
  if (Array.isArray(container)) {
    // By index, because iteration helpers skip holes and a hole must be refused.
    for (let index = 0; index < container.length; index += 1) assertJson(container[index], depth);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(container);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new JsonError('not_json', 'only plain objects and arrays have a JSON form');
  }
  for (const [name, member] of Object.entries(container)) {
    assertWellFormed(name);
    assertJson(member, depth);
  }
}

function assertWellFormed(text: string): void {
  if (!text.isWellFormed()) throw new JsonError('lone_surrogate', 'a string holds a lone surrogate');
}
