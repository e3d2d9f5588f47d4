import type { IncomingMessage, ServerResponse } from 'node:http';

/** One request of a client and the response it will get. */
export interface ClientExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sent `Expect: 100-continue` and holds its body back until told to go on. */
  readonly continueExpected: boolean;
}

/** Whether a body follows the head: RFC 9112 section 6.3. */
export function announcesBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
