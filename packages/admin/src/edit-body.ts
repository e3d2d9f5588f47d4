import { nameSchema } from '@postern/schemas';
import { z } from 'zod';
import { checkShape, toValidationIssue } from './validation/check-shape.ts';
import type { IssuePath } from './validation/schema-walk.ts';
import { invalid } from './validator.ts';
import { READ_ONLY_MEMBERS } from './views.ts';

const ignored = z.unknown().optional().describe('As answered; ignored');
const readOnly = {
  id: ignored,
  origin: ignored,
  createdAt: ignored,
  updatedAt: ignored,
  lastUsedAt: ignored,
  credentialState: ignored,
};

/** The body of a PUT: an object as a GET answers it, or without the members that the server makes and without its name. */
export function replacementOf<S extends z.ZodRawShape>(schema: z.ZodObject<S, z.core.$strict>) {
  return schema.extend({ ...readOnly, name: nameSchema.optional() });
}

/** The body of a PATCH (RFC 7396): members to change; null takes one back to its default. */
export const mergePatchBody = z
  .record(z.string(), z.unknown())
  .describe('RFC 7396 merge patch: the members to change; null takes one back to its default');

/**
 * The object named `name` as it will be after a PUT or PATCH (`current` given), checked. Throws `validation_failed`; the name
 * cannot be changed.
 */
export function editedObject<S extends z.ZodType>(
  schema: S,
  body: Readonly<Record<string, unknown>>,
  options: { readonly name: string; readonly place: IssuePath; readonly current?: object },
): z.output<S> {
  const { name, place, current } = options;
  if (body['name'] !== undefined && body['name'] !== name) {
    throw invalid([{ field: 'name', message: 'cannot be changed' }]);
  }
  const written: Record<string, unknown> = { ...body, name };
  for (const member of READ_ONLY_MEMBERS) delete written[member];
  const checked = checkShape(schema, current === undefined ? written : mergePatch(current, written), place);
  if (checked.value === undefined) throw invalid(checked.issues.map((issue) => toValidationIssue(issue)));
  return checked.value;
}

/** RFC 7396 section 2. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map<string, unknown>(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
