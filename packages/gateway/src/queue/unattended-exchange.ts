import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { ClientExchange } from '../client-exchange.ts';

/**
 * The request and response of a call that has no client: real ones of node:http on a socket that was never connected, so that each stage
 * meets what it meets else. What is written to the response goes nowhere.
 */
export interface UnattendedExchange extends ClientExchange {
  /** The call is over: gives back what waits for the response to close. */
  close(): void;
}

/** `path`: what traces name. */
export function unattendedExchange(method: string, path: string): UnattendedExchange {
  const request = new IncomingMessage(new Socket());
  request.method = method;
  request.url = path;
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 1;
  request.httpVersion = '1.1';
  // Nothing of it is still to come.
  request.complete = true;
  const response = new ServerResponse(request);
  return {
    request,
    response,
    continueExpected: false,
    close() {
      response.destroy();
      response.emit('close');
    },
  };
}
