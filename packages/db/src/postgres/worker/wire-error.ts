import type { WireError } from '../../journal/batch.ts';
import { toDbError } from '../postgres-error.ts';

/** What the main thread learns of an error. Errors of encoding are about the values given. */
export function toWireError(error: unknown): WireError {
  if (error instanceof TypeError || error instanceof RangeError) return { code: 'invalid', message: error.message };
  const { code, message } = toDbError(error);
  return { code, message };
}

/** True when the error is about the record itself, so that another record may well be stored. */
export function isAboutRecord(error: unknown): boolean {
  return toWireError(error).code !== 'unavailable';
}

/**
 * The server itself refused a statement, or it was never sent: what was under way is rolled back. Of all other errors nobody knows what
 * the server did before or after: the connection is gone, or the server says that it is about to end it.
 */
export function isRefusal(error: unknown): boolean {
  if (typeof error === 'object' && error !== null && 'severity' in error) return error.severity === 'ERROR';
  return isAboutRecord(error);
}

/** The server has rolled back one of two that wait for each other: serialization_failure, deadlock_detected. Tried again it may pass. */
export function isCollision(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return error.code === '40001' || error.code === '40P01';
}
