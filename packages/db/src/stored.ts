import { DbError } from './ports/db-error.ts';

/** A row that no writer of ours makes; `columns` as `table.column`. It is refused and never guessed at; its values are not told. */
export function impossibleRow(columns: string, why: string): DbError {
  return new DbError('invalid', `the stored row is impossible: ${columns} ${why}`);
}

/** A column that belongs to a state. */
export function storedValue<T>(column: string, value: T | null, state: string): T {
  if (value === null) throw impossibleRow(column, `is missing where the state is ${state}`);
  return value;
}

/** A column that must be empty in a state. */
export function storedNothing(column: string, value: unknown, state: string): void {
  if (value !== null) throw impossibleRow(column, `is there where the state is ${state}`);
}

export function storedOneOf<T extends string>(column: string, value: string, known: readonly T[]): T {
  if (!(known as readonly string[]).includes(value)) throw impossibleRow(column, 'is none that this program knows');
  return value as T;
}
