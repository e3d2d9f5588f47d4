import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, Rejection, toProblem } from '@postern/schemas';
import { REQUEST_ID_HEADER } from './problem-replies.ts';

/** Answers what is not even an HTTP request, and closes the connection. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket, requestId: string): void {
  if (isNoHttp(error.code) || !socket.writable) {
    socket.destroy();
    return;
  }
  const rejection = rejectionFor(error.code);
  const body = JSON.stringify(toProblem(rejection, requestId));
  const head = [
    `HTTP/1.1 ${rejection.status} ${STATUS_CODES[rejection.status]}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID_HEADER}: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The connection broke, or its TLS never came about: nobody can be told anything on it. */
function isNoHttp(code: string | undefined): boolean {
  return code === undefined || !(code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT');
}

function rejectionFor(code: string | undefined): Rejection {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new Rejection('headers_too_large', 'The head of the request is too large.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new Rejection('request_timeout', 'The request did not arrive in time.');
  return new Rejection('malformed_request', 'The request is not well-formed HTTP.');
}
