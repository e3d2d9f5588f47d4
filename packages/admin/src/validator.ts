import { Rejection, type ValidationIssue } from '@postern/schemas';
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { checkShape, toValidationIssue } from './validation/check-shape.ts';
import type { IssuePath } from './validation/schema-walk.ts';

const places = new WeakMap<z.ZodType, IssuePath>();

/** Says where in a configuration document a body of this schema would stand, for messages about members this version lacks. */
export function standingAt<S extends z.ZodType>(place: IssuePath, schema: S): S {
  places.set(schema, place);
  return schema;
}

/** Checks the parts of a request against the route's zod schemas; faults become `validation_failed` with field and message. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const place = places.get(schema) ?? [];
  return (value: unknown) => {
    const checked = checkShape(schema, value, place);
    if (checked.value !== undefined || checked.issues.length === 0) return { value: checked.value };
    // What no name or id can be, nothing has.
    if (httpPart === 'params') return { error: new Rejection('not_found', 'There is no such object.') };
    return { error: invalid(checked.issues.map((issue) => toValidationIssue(issue))) };
  };
};

export function invalid(issues: readonly ValidationIssue[]): Rejection {
  const count = issues.length === 1 ? 'one fault' : `${issues.length} faults`;
  return new Rejection('validation_failed', `The request has ${count}.`, { details: { issues } });
}
