import { createHash } from 'node:crypto';
import { DbError } from '../ports/db-error.ts';
import { requireIdentifier } from './check-range.ts';

/** Longer parts stand as their hash. */
const PART_CHARACTERS_MAX = 256;
const PLAIN = /^[A-Za-z0-9_.-]+$/;
const PREFIX = /^[A-Za-z0-9_.-]{1,64}(:[A-Za-z0-9_.-]{1,64}){0,3}$/;

/** Refuses a prefix that could run into the rest of a key. */
export function requireKeyPrefix(prefix: string): void {
  if (PREFIX.test(prefix)) return;
  throw new DbError(
    'invalid',
    'prefix must be letters, digits, "_", "." and "-", in up to four parts with ":" between',
  );
}

/**
 * A part of a key such that no text can pass for two parts, for another text, or for a pattern: what is neither letter nor digit nor
 * one of `_.-` is percent-encoded as UTF-8. `#` begins a hash and nothing else.
 */
export function encodePart(name: string, value: string): string {
  requireIdentifier(name, value, Number.MAX_SAFE_INTEGER);
  if (value.length > PART_CHARACTERS_MAX)
    return `#${createHash('sha256').update(value, 'utf16le').digest('base64url')}`;
  return PLAIN.test(value) ? value : encodeText(name, value);
}

/** The same letter by letter, so that what begins alike is encoded alike; never hashed. */
export function encodeText(name: string, value: string): string {
  try {
    return encodeURIComponent(value).replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  } catch {
    throw new DbError('invalid', `${name} must be a text of whole characters: it has half of a surrogate pair`);
  }
}

/** Makes keys `{prefix}:{area}:{tenant}:{part}…`. */
export type KeyOf = (tenant: string, ...parts: readonly string[]) => string;

/** `names`: what the parts are called in errors, in order. */
export function keysOf(prefix: string, area: string, names: readonly string[]): KeyOf {
  const base = `${prefix}:${area}:`;
  return (tenant, ...parts) => {
    let key = base + encodePart('tenant', tenant);
    for (const [place, part] of parts.entries()) key += `:${encodePart(names[place] ?? 'key', part)}`;
    return key;
  };
}
