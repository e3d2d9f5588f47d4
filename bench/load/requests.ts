import { requestBody } from '../message-bodies.ts';
import type { LoadOrder } from './order.ts';

/** Where the last order on a port stopped, so that calls go on with the next token instead of beginning anew. */
const positions = new Map<number, number>();

/** The calls of an order as bytes, one after the other, over and over. */
export function createRequests(order: LoadOrder): () => Buffer {
  const body = requestBody();
  const requests = order.tokens.map((token) => Buffer.from(requestText(order, token, body)));
  let next = (positions.get(order.port) ?? 0) % requests.length;
  return () => {
    const request = requests[next];
    if (request === undefined) throw new Error('an order needs a token');
    next = next + 1 === requests.length ? 0 : next + 1;
    positions.set(order.port, next);
    return request;
  };
}

function requestText({ port, path }: LoadOrder, token: string, body: string): string {
  const fields = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    'accept: application/json',
    'user-agent: postern-bench',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${fields.join('\r\n')}\r\n\r\n${body}`;
}
