import { UNSUPPORTED_FIELDS } from '@postern/schemas';
import type { IssuePath } from './schema-walk.ts';

const PATTERNS = UNSUPPORTED_FIELDS.map((pattern) => pattern.split('.'));

/** Whether the full format has a member here that this version lacks. `path` is counted from the root of the document. */
export function isUnsupported(path: IssuePath): boolean {
  return PATTERNS.some((pattern) => {
    return pattern.length === path.length && pattern.every((step, index) => step === '*' || step === path[index]);
  });
}

/**
 * `value` without unsupported members that ask for nothing (`listen: null`, `templates: []`): a document of the full format that
 * uses none of what this version lacks is good as it is. All other unsupported members stay, and are refused later.
 */
export function withoutIdleMembers(value: unknown, place: IssuePath): unknown {
  if (Array.isArray(value)) return value.map((item, index) => withoutIdleMembers(item, [...place, index]));
  if (!isObject(value)) return value;
  const kept: [string, unknown][] = [];
  for (const [name, member] of Object.entries(value)) {
    const path = [...place, name];
    if (isUnsupported(path) && asksForNothing(member)) continue;
    kept.push([name, withoutIdleMembers(member, path)]);
  }
  return Object.fromEntries(kept);
}

function asksForNothing(value: unknown): boolean {
  if (value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
