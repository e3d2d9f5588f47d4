import { PROBLEM_MEDIA_TYPE, type Problem, type Rejection, toProblem } from '@postern/schemas';
import type { ClientExchange } from '../client-exchange.ts';

/** Answers with a JSON document of the gateway's own. */
export function answerJson(client: ClientExchange, status: number, document: unknown, requestId: string): void {
  answerJsonText(client, status, JSON.stringify(document), requestId);
}

/** The same for a document that is text already. */
export function answerJsonText(client: ClientExchange, status: number, text: string, requestId: string): void {
  send(client, status, ['content-type', 'application/json', 'postern-request-id', requestId], text);
}

/** Answers 204. */
export function answerEmpty({ response }: ClientExchange, requestId: string): void {
  response.writeHead(204, ['postern-request-id', requestId, 'cache-control', 'no-store']).end();
}

/** Answers 202: the call waits for something, and `location` tells how it stands. */
export function answerAccepted(client: ClientExchange, location: string, document: unknown, requestId: string): void {
  const headers = ['content-type', 'application/json', 'location', location, 'postern-request-id', requestId];
  // RFC 7240 section 3.
  headers.push('preference-applied', 'respond-async');
  send(client, 202, headers, JSON.stringify(document));
}

/** Answers with an RFC 9457 problem document. A response that has begun already is cut instead. */
export function answerProblem(client: ClientExchange, rejection: Rejection, requestId: string): void {
  if (client.response.headersSent) {
    client.response.destroy();
    return;
  }
  const problem = toProblem(rejection, requestId);
  // `allow` is a header's to tell.
  const document = { ...problem, allow: undefined, error: errorMember(client, problem) };
  send(client, problem.status, problemHeaders(problem), JSON.stringify(document));
}

/**
 * SDKs of JSON APIs look for what went wrong in a member `error`. Stripe's looks nowhere else, not at the status either: without it a
 * refused call would be a success to its caller. For clients that ask for JSON alone; RFC 9457 section 3.2 lets others pass it over.
 */
function errorMember({ request }: ClientExchange, { code, detail }: Problem): object | undefined {
  if (request.headers.accept?.includes('application/json') !== true) return undefined;
  return { type: 'postern', code, message: detail };
}

function problemHeaders(problem: Problem): string[] {
  const headers = ['content-type', PROBLEM_MEDIA_TYPE, 'postern-request-id', problem.requestId];
  // RFC 9110 section 11.6.1: a 401 names the schemes. git and wget send the password of their URL only where Basic is offered.
  if (problem.status === 401)
    headers.push('www-authenticate', 'Bearer realm="postern"', 'www-authenticate', 'Basic realm="postern"');
  // RFC 9110 section 15.5.6: a 405 tells the methods that are allowed.
  if (problem.allow !== undefined) headers.push('allow', problem.allow.join(', '));
  if (problem.retryAfterSeconds !== undefined) headers.push('retry-after', String(problem.retryAfterSeconds));
  return headers;
}

function send(client: ClientExchange, status: number, headers: string[], text: string): void {
  const { request, response } = client;
  const body = Buffer.from(text);
  headers.push('content-length', String(body.byteLength), 'cache-control', 'no-store');
  // A body that was not read to its end would be taken for the next request, or read in vain.
  if (!request.complete) headers.push('connection', 'close');
  response.writeHead(status, headers);
  if (!request.complete) return endAfterRequest(client, body);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** How long a refused client may go on sending the body nobody reads. */
const LINGER_MS = 5_000;

/**
 * Answers now, says that nothing more will come, and lets the client end: RFC 9112 section 9.6. To close over unread bytes would
 * reset the connection, and the client might lose the answer.
 */
function endAfterRequest({ request, response }: ClientExchange, body: Uint8Array): void {
  const { socket } = request;
  if (request.method === 'HEAD') response.flushHeaders();
  else response.write(body);
  socket.end();
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER_MS).unref();
  request.once('end', end).once('close', end).resume();
}
