import { DbError } from '../ports/db-error.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Refuses a number that is no integer of the range, naming both. */
export function requireRange(name: string, value: number, { min, max }: Range): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new DbError('invalid', `${name} must be an integer from ${min} to ${max}, not ${describe(value)}`);
}

/** Refuses an empty text, and one of more than `lengthMax` characters. The text is not told: it may be a token's. */
export function requireIdentifier(name: string, value: string, lengthMax = 2_048): void {
  if (typeof value !== 'string' || value === '') {
    throw new DbError('invalid', `${name} must be a text of 1 to ${lengthMax} characters, not ${describe(value)}`);
  }
  if (value.length > lengthMax) {
    throw new DbError('invalid', `${name} must be a text of 1 to ${lengthMax} characters, not of ${value.length}`);
  }
}

/** Milliseconds since the epoch. */
export function requireTime(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new DbError('invalid', `${name} must be milliseconds since the epoch, not ${describe(value)}`);
}

function describe(value: unknown): string {
  if (value === '') return 'an empty one';
  return typeof value === 'number' || value === undefined || value === null ? String(value) : `a ${typeof value}`;
}
