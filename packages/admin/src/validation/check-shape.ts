import type { ValidationIssue } from '@postern/schemas';
import type { z } from 'zod';
import type { $ZodIssue, $ZodRawIssue } from 'zod/v4/core';
import { didYouMean } from './did-you-mean.ts';
import { ruleAt } from './rule-at.ts';
import { type IssuePath, literalsAt, membersAt } from './schema-walk.ts';
import { isUnsupported, withoutIdleMembers } from './unsupported-fields.ts';

/** One fault with its place. The message is plain English and never repeats a value, which may be a secret. */
export interface PlacedIssue {
  readonly path: IssuePath;
  readonly message: string;
  /** Id of the rule at fault. */
  readonly rule?: string;
  /** Within an expression: how many characters stand before the fault. */
  readonly position?: number;
}

export type ShapeCheck<T> =
  | { readonly value: T; readonly issues: readonly [] }
  | { readonly value: undefined; readonly issues: readonly PlacedIssue[] };

/**
 * `value` parsed by `schema`, or all its faults. `place` says where in a configuration document a value of this schema stands
 * (`['rules', 0]`), so that members which only the full format has are told apart from misspelt ones.
 */
export function checkShape<S extends z.ZodType>(
  schema: S,
  value: unknown,
  place: IssuePath = [],
): ShapeCheck<z.output<S>> {
  const result = schema.safeParse(withoutIdleMembers(value, place), { error: plainMessage });
  if (result.success) return { value: result.data, issues: [] };
  const issues = result.error.issues.flatMap((issue) => explain(issue, [], { schema, place }));
  return { value: undefined, issues: issues.map((issue) => withRule(issue, value, place)) };
}

/** With the id of the rule, where the fault lies in one. */
export function withRule(issue: PlacedIssue, value: unknown, place: IssuePath = []): PlacedIssue {
  const rule = issue.rule ?? ruleAt(value, issue.path, place);
  return rule === undefined ? issue : { ...issue, rule };
}

/** `integrations[0].timeouts.connectMs` */
export function fieldText(path: IssuePath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w.-]{1,64}$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step.slice(0, 64))}]`;
  }
  return text;
}

/** The path that `fieldText` would write as `text`; for the fields that other packages' issues name. */
export function pathOfField(text: string): IssuePath {
  return [...text.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([step, index]) => (index === undefined ? step : Number(index)));
}

/** The form in which a fault leaves the program. `lineOf` is given where the value came as text. */
export function toValidationIssue(
  issue: PlacedIssue,
  lineOf?: (path: IssuePath) => number | undefined,
): ValidationIssue {
  const { path, ...told } = issue;
  const line = lineOf?.(path);
  return { field: fieldText(path), ...told, ...(line === undefined ? {} : { line }) };
}

interface Context {
  readonly schema: z.ZodType;
  readonly place: IssuePath;
}

function explain(issue: $ZodIssue, base: IssuePath, context: Context): readonly PlacedIssue[] {
  const path = [...base, ...issue.path.filter((step) => typeof step !== 'symbol')];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownMember(path, key, context));
    case 'invalid_union':
      return explainUnion(issue, path, context);
    case 'invalid_key':
      return [{ path, message: issue.issues[0]?.message ?? 'is not a valid name' }];
    default:
      return [{ path, message: issue.message }];
  }
}

function unknownMember(path: IssuePath, key: string, { schema, place }: Context): PlacedIssue {
  const whole = [...path, key];
  if (isUnsupported([...place, ...whole])) return { path: whole, message: 'is not supported by this version' };
  const near = didYouMean(key, membersAt(schema, path));
  return {
    path: whole,
    message: near === undefined ? 'is not a known field' : `is not a known field; did you mean "${near}"?`,
  };
}

/** The faults of the form that was most likely meant: the one with the fewest. */
function explainUnion(
  issue: Extract<$ZodIssue, { code: 'invalid_union' }>,
  path: IssuePath,
  context: Context,
): readonly PlacedIssue[] {
  const tag = path.at(-1);
  if (issue.errors.length === 0) {
    const known = typeof tag === 'string' ? literalsAt(context.schema, path.slice(0, -1), tag) : [];
    return [
      {
        path,
        message: known.length === 0 ? 'is not one of the permitted forms' : `must be one of ${known.join(', ')}`,
      },
    ];
  }
  const forms = issue.errors.map((errors) => errors.flatMap((error) => explain(error, path, context)));
  const fewest = Math.min(...forms.map((form) => form.length));
  const nearest = forms.filter((form) => form.length === fewest);
  if (nearest.length === 1) return nearest[0]!;
  const places = [...new Set(nearest.flat().map((fault) => fieldText(fault.path.slice(path.length))))].filter(Boolean);
  if (places.length === 0)
    return [{ path, message: [...new Set(nearest.flat().map(({ message }) => message))].join(', or ') }];
  return [{ path, message: `must have ${places.join(' or ')}` }];
}

/** The message for faults that the schema itself has no words for. */
function plainMessage(issue: $ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return typeMessage(issue.expected, issue.input);
    case 'too_small':
      if (issue.origin === 'string' && Number(issue.minimum) === 1) return 'must not be empty';
      return `must ${sizeText(issue.origin)} at least ${issue.minimum}${unitText(issue.origin, Number(issue.minimum))}`;
    case 'too_big':
      return `must ${sizeText(issue.origin)} at most ${issue.maximum}${unitText(issue.origin, Number(issue.maximum))}`;
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${String(issue.values[0])}`
        : `must be one of ${issue.values.map(String).join(', ')}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      if (issue.format === 'starts_with') return `must begin with "${String(issue['prefix'])}"`;
      return issue.format === 'datetime'
        ? 'must be an ISO 8601 time such as 2026-01-31T12:00:00Z'
        : 'has not the right format';
    default:
      return undefined;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

function typeMessage(expected: string, input: unknown): string {
  if (input === undefined) return 'is required';
  const wanted = TYPE_NAMES[expected] ?? expected;
  if (expected === 'string' && typeof input !== 'object') return `must be ${wanted}; write it in quotes`;
  if (input === null && expected === 'array') return `must be ${wanted}; write [] for none`;
  return `must be ${wanted}`;
}

function sizeText(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'have' : 'be';
}

function unitText(origin: string, count: number): string {
  const plural = count === 1 ? '' : 's';
  if (origin === 'string') return ` character${plural}`;
  return origin === 'array' ? ` item${plural}` : '';
}
