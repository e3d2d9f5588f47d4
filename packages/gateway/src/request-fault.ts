import type { IncomingMessage } from 'node:http';
import type { Rejection } from '@postern/schemas';

/** Requests whose head came well-formed and whose body never will be whole, though the connection still stands. */
const faults = new WeakMap<IncomingMessage, Rejection>();

/** Says why the rest of a request will not come. Whoever is reading it is told at once, whoever begins later asks `faultOf`. */
export function failRequest(request: IncomingMessage, rejection: Rejection): void {
  faults.set(request, rejection);
  // Unlike `destroy`, this leaves the connection as it is: the answer goes out on it.
  if (request.listenerCount('error') > 0) request.emit('error', rejection);
}

export function faultOf(request: IncomingMessage): Rejection | undefined {
  return faults.get(request);
}
