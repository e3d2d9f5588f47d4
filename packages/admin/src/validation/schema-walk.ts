import type { z } from 'zod';
import type { $ZodType, $ZodTypes } from 'zod/v4/core';

export type IssuePath = readonly (string | number)[];

/** The schemas that may stand at `path` under `schema`; several under a union, none where the path leads nowhere. */
export function schemasAt(schema: z.ZodType, path: IssuePath): readonly $ZodType[] {
  let candidates = alternatives(schema);
  for (const step of path) candidates = candidates.flatMap((candidate) => stepInto(candidate, step));
  return candidates;
}

/** The members that objects at `path` may have. */
export function membersAt(schema: z.ZodType, path: IssuePath): readonly string[] {
  return schemasAt(schema, path).flatMap((candidate) => {
    const { def } = (candidate as $ZodTypes)._zod;
    return def.type === 'object' ? Object.keys(def.shape) : [];
  });
}

/** The literal values that `member` may have in the objects at `path`: the tags of a tagged union. */
export function literalsAt(schema: z.ZodType, path: IssuePath, member: string): readonly string[] {
  return schemasAt(schema, [...path, member]).flatMap((candidate) => {
    const { def } = (candidate as $ZodTypes)._zod;
    return def.type === 'literal' ? def.values.map(String) : [];
  });
}

function stepInto(schema: $ZodType, step: string | number): readonly $ZodType[] {
  const { def } = (schema as $ZodTypes)._zod;
  if (def.type === 'object') {
    const member = def.shape[String(step)];
    return member === undefined ? [] : alternatives(member);
  }
  if (def.type === 'array') return alternatives(def.element);
  if (def.type === 'record') return alternatives(def.valueType);
  return [];
}

/** `schema` without its wrappers; the options of a union one by one. */
function alternatives(schema: $ZodType): readonly $ZodType[] {
  const { def } = (schema as $ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return alternatives(def.innerType);
    case 'union':
      return def.options.flatMap(alternatives);
    default:
      return [schema];
  }
}
