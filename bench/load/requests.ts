import { requestBody } from '../message-bodies.ts';
import type { LoadOrder } from './order.ts';

/** Where the last order on a port stopped, so that calls go on with the next token instead of beginning anew. */
const positions = new Map<number, number>();

/** The calls of an order as bytes, one after the other, over and over. */
export function createRequests(order: LoadOrder): () => Buffer {
  const body = requestBody();
  if (order.idempotencyKey?.isFresh === true) return createFreshRequests(order, order.idempotencyKey.text);
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

/** With the first token alone: no two of them are equal, so none is made ahead. */
function createFreshRequests(order: LoadOrder, prefix: string): () => Buffer {
  const [token] = order.tokens;
  if (token === undefined) throw new Error('an order needs a token');
  const mark = `${prefix}-${Date.now()}-`;
  const text = requestText({ ...order, idempotencyKey: { text: mark, isFresh: true } }, token, requestBody());
  const end = text.indexOf(mark) + mark.length;
  const [before, after] = [text.slice(0, end), text.slice(end)];
  let count = 0;
  return () => {
    count += 1;
    return Buffer.from(before + count + after);
  };
}

function requestText({ port, path, idempotencyKey }: LoadOrder, token: string, body: string): string {
  const fields = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    'accept: application/json',
    'user-agent: postern-bench',
    ...(idempotencyKey === undefined ? [] : [`idempotency-key: ${idempotencyKey.text}`]),
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${fields.join('\r\n')}\r\n\r\n${body}`;
}
