import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { PROBLEM_MEDIA_TYPE, type Problem, type Rejection, toProblem } from '@postern/schemas';
import type { Gateway } from './gateway.ts';
import { failRequest } from './request-fault.ts';
import { WideEvent } from './wide-event.ts';

/** How long a client that was refused by hand may keep its side open. */
const LINGER_MS = 1_000;

/** Connections on which nothing more is read as a request. */
const ending = new WeakSet<Duplex>();

/**
 * Ends a connection on which no further request can be told apart, once the calls that arrived before have been answered: whoever
 * waits for an answer must neither lose it nor take a refusal for it. A call whose body breaks off here is refused in its turn.
 * `rejection`: what is said at last, to nobody's request; absent: nothing.
 */
export function endConnection(gateway: Gateway, socket: Duplex, rejection: Rejection | undefined): void {
  // Errors repeat for as long as a client goes on sending.
  if (ending.has(socket)) return;
  ending.add(socket);
  // Node has let go of a CONNECT's socket: an error nobody listens for would end the process.
  socket.on('error', () => socket.destroy());
  const broken = rejection === undefined ? undefined : incompleteRequest(socket);
  if (broken !== undefined) failRequest(broken, rejection as Rejection);
  endWhenAnswered(gateway, socket, broken === undefined ? rejection : undefined);
}

export function isEnding(socket: Duplex): boolean {
  return ending.has(socket);
}

/** What Node hangs on a connection and gives no other way to ask for: the response whose turn it is, and the parser's request. */
interface HttpSocket {
  readonly _httpMessage?: ServerResponse | null;
  readonly parser?: { readonly incoming?: IncomingMessage | null } | null;
}

/** The response that is being given; undefined when none is. */
export function currentResponse(socket: Duplex): ServerResponse | undefined {
  return (socket as HttpSocket)._httpMessage ?? undefined;
}

/** The request whose body is still coming; undefined between two requests and within a head. */
export function incompleteRequest(socket: Duplex): IncomingMessage | undefined {
  const incoming = (socket as HttpSocket).parser?.incoming ?? undefined;
  return incoming === undefined || incoming.complete ? undefined : incoming;
}

function endWhenAnswered(gateway: Gateway, socket: Duplex, rejection: Rejection | undefined): void {
  if (socket.destroyed) return;
  const response = currentResponse(socket);
  if (response !== undefined) {
    response.once('close', () => endWhenAnswered(gateway, socket, rejection));
    // Of a CONNECT's socket Node listens for this no longer.
    if (socket.listenerCount('drain') === 0) socket.on('drain', () => currentResponse(socket)?.emit('drain'));
    return;
  }
  // The last answer said that it was the last.
  if (rejection === undefined || !socket.writable) linger(socket);
  else refuseByHand(gateway, socket, rejection);
}

/** An answer without a request, on a connection whose parser has given up: written by hand, and the last thing on it. */
export function refuseByHand(gateway: Gateway, socket: Duplex, rejection: Rejection): void {
  ending.add(socket);
  const event = new WideEvent(gateway.newRequestId(), gateway.now(), performance.now());
  event.clientAddress = (socket as Partial<Socket>).remoteAddress;
  event.status = rejection.status;
  event.code = rejection.code;
  socket.write(answerBytes(toProblem(rejection, event.requestId)));
  linger(socket);
  gateway.refusals.record(event, rejection);
  gateway.metrics.countCall(event, 0);
  gateway.log.call(event, 0);
}

function answerBytes(problem: Problem): string {
  const body = JSON.stringify({ ...problem, allow: undefined });
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `date: ${new Date().toUTCString()}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `postern-request-id: ${problem.requestId}`,
  ];
  if (problem.allow !== undefined) head.push(`allow: ${problem.allow.join(', ')}`);
  if (problem.retryAfterSeconds !== undefined) head.push(`retry-after: ${problem.retryAfterSeconds}`);
  return `${head.join('\r\n')}\r\nconnection: close\r\n\r\n${body}`;
}

/** RFC 9112 section 9.6: closing over unread bytes would reset the connection, and the client might lose the answer. */
function linger(socket: Duplex): void {
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
