import type { ServerResponse } from 'node:http';

/** The call was recorded under its key, and its end frees the key again. Nothing is said to a call that came without one. */
export function sayNothingIsKept(response: ServerResponse): void {
  if (!response.headersSent && response.hasHeader('postern-idempotency'))
    response.setHeader('postern-idempotency', 'none');
}
