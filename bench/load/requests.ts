import { requestBody } from '../message-bodies.ts';
import type { IdempotencyKey, LoadOrder } from './order.ts';

/** Where the last order on a port stopped, so that calls go on with the next token instead of beginning anew. */
const positions = new Map<number, number>();

/** The calls of an order as bytes, one after the other, over and over. */
export function createRequests(order: LoadOrder): () => Buffer {
  const body = requestBody();
  if (order.idempotencyKey !== undefined && order.idempotencyKey.use !== 'one') {
    return createKeyedRequests(order, order.idempotencyKey);
  }
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

/** How many keys were made of a text, and how many of them were used again. */
const keysOf = new Map<string, { made: number; repeated: number }>();

/** With the first token alone: no two of them are equal, so none is made ahead. */
function createKeyedRequests(order: LoadOrder, { text: prefix, use }: IdempotencyKey): () => Buffer {
  const [token] = order.tokens;
  if (token === undefined) throw new Error('an order needs a token');
  const mark = `${prefix}-`;
  const text = requestText({ ...order, idempotencyKey: { text: mark, use } }, token, requestBody());
  const end = text.indexOf(mark) + mark.length;
  const [before, after] = [text.slice(0, end), text.slice(end)];
  const name = `${order.port} ${prefix}`;
  const keys = keysOf.get(name) ?? { made: 0, repeated: 0 };
  keysOf.set(name, keys);
  return () => {
    const number = use === 'fresh' ? keys.made++ : keys.repeated++ % Math.max(1, keys.made);
    return Buffer.from(before + number + after);
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
