import { NAME_PATTERN } from '@postern/schemas';
import type { IssuePath } from './schema-walk.ts';

/**
 * The id of the rule that `path` leads into: the object under `rules[0]` or `global.rules[0]`. `place` says where in a document `value`
 * stands. Undefined outside rules, and where the rule has no usable id.
 */
export function ruleAt(value: unknown, path: IssuePath, place: IssuePath = []): string | undefined {
  const whole = [...place, ...path];
  const section = whole.findIndex((step, index) => step === 'rules' && typeof whole[index + 1] === 'number');
  const depth = section + 2 - place.length;
  if (section === -1 || depth < 0) return undefined;
  let rule: unknown = value;
  for (const step of path.slice(0, depth)) rule = memberOf(rule, step);
  const id = memberOf(rule, 'id');
  return typeof id === 'string' && NAME_PATTERN.test(id) ? id : undefined;
}

function memberOf(value: unknown, step: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<string | number, unknown>)[step]
    : undefined;
}
