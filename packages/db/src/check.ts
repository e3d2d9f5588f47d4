import type { Origin } from './ports/context.ts';
import { DbError } from './ports/db-error.ts';

const ORIGINS: readonly Origin[] = ['config', 'api'];

/** Refuses an empty identifier (or what is no text at all), naming table and column. */
export function requireText(column: string, value: string): void {
  if (typeof value !== 'string' || value === '')
    throw new DbError('invalid', `${column} must be a text that is not empty`);
}

export function requireOneOf(column: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new DbError('invalid', `${column} must be one of ${allowed.join(', ')}`);
}

export function requireOrigin(column: string, value: Origin): void {
  requireOneOf(column, value, ORIGINS);
}

/** Milliseconds since the epoch, or another count: an integer from 0. */
export function requireCount(column: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new DbError('invalid', `${column} must be an integer from 0`);
}

/** An engine tells of a missing reference without its name; here it is `not_found` of what was referred to. */
export async function withReference<T>(column: string, writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    if (error instanceof DbError && error.code === 'not_found') {
      throw new DbError('not_found', `${column} names something that is not there`, error);
    }
    throw error;
  }
}
