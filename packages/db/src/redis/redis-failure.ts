import { DbError } from '../ports/db-error.ts';

const MESSAGE_LENGTH_MAX = 160;

/**
 * What may be told of a failure: the client's own errors carry the command with its parameters, of which one is the password. So the
 * error itself is no cause of ours, and of its message only what stands before parameters is told.
 */
export function describeFailure(error: unknown, secrets: readonly (string | undefined)[]): string {
  let message =
    error instanceof Error ? error.message || ((error as NodeJS.ErrnoException).code ?? error.name) : String(error);
  const parameters = message.indexOf(', with args beginning');
  if (parameters !== -1) message = message.slice(0, parameters);
  for (const secret of secrets) if (secret !== undefined) message = message.replaceAll(secret, '***');
  return message.replace(/\s+/g, ' ').slice(0, MESSAGE_LENGTH_MAX);
}

export function unavailable(what: string): DbError {
  return new DbError('unavailable', `Redis: ${what}`);
}
