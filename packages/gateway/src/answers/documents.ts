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

/** Answers with an RFC 9457 problem document. A response that has begun already is cut instead. */
export function answerProblem(client: ClientExchange, rejection: Rejection, requestId: string): void {
  if (client.response.headersSent) {
    client.response.destroy();
    return;
  }
  const problem = toProblem(rejection, requestId);
  // `allow` is a header's to tell.
  send(client, problem.status, problemHeaders(problem), JSON.stringify({ ...problem, allow: undefined }));
}

function problemHeaders(problem: Problem): string[] {
  const headers = ['content-type', PROBLEM_MEDIA_TYPE, 'postern-request-id', problem.requestId];
  // RFC 9110 section 11.6.1: a 401 names the scheme.
  if (problem.status === 401) headers.push('www-authenticate', 'Bearer realm="postern"');
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
 * Answers now and ends when the client has sent its request: an end over unread bytes would reset the connection, and the client
 * might lose the answer.
 */
function endAfterRequest({ request, response }: ClientExchange, body: Uint8Array): void {
  if (request.method === 'HEAD') response.flushHeaders();
  else response.write(body);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER_MS).unref();
  request.once('end', end).once('close', end).resume();
}
