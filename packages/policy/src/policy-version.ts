import { hash } from 'node:crypto';

const DEPTH_MAX = 64;

/**
 * SHA-256 (lower-case hex) of the JSON form of `value` with sorted keys (RFC 8785): equal content, equal version, whatever the order
 * of keys. Members that are undefined are absent. Throws TypeError on what JSON cannot say.
 */
export function policyVersionOf(value: unknown): string {
  return hash('sha256', canonicalText(value, 0), 'hex');
}

function canonicalText(value: unknown, depth: number): string {
  if (depth > DEPTH_MAX) throw new TypeError(`is nested deeper than ${DEPTH_MAX} levels`);
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('holds a lone surrogate');
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('holds a number that is not finite');
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, depth + 1)).join(',')}]`;
      return canonicalObject(value, depth);
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      throw new TypeError(`holds a value of type ${typeof value}`);
  }
}

/** RFC 8785 section 3.2.3: keys in the order of their UTF-16 code units, which is what `sort` without arguments does. */
function canonicalObject(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError('holds an object that is not plain data');
  const source = value as Record<string, unknown>;
  const members = Object.keys(source)
    .filter((key) => source[key] !== undefined)
    .sort()
    .map((key) => `${canonicalText(key, depth + 1)}:${canonicalText(source[key], depth + 1)}`);
  return `{${members.join(',')}}`;
}
