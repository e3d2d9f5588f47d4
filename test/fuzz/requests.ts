import type { Random } from './random.ts';

/** One well-formed request of a case. */
export interface PlannedRequest {
  /** Stands in the path, and nowhere else in the world. */
  readonly id: string;
  readonly method: string;
  readonly bytes: string;
  /** Whether it goes to the upstream: the rest are refused or answered by the gateway. */
  readonly isForwarded: boolean;
}

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'];
const FIELDS = [
  'Accept: */*',
  'X-One: 1',
  'x-two:2',
  'X-Empty:',
  'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'Connection: keep-alive',
  'Connection: x-one',
  'TE: trailers',
  'Via: 1.1 somebody',
  'Cookie: a=b',
  'Accept-Encoding: gzip',
  'Content-Type: application/json',
  'X-Forwarded-For: 10.0.0.1',
  'Expect: 100-continue',
  'Max-Forwards: 7',
];

/** A request to integration `name`, or one of those that go nowhere. */
export function planRequest(random: Random, id: string, { name, key }: { name: string; key: string }): PlannedRequest {
  const method = random.pick(METHODS);
  const isForwarded = !random.once(8);
  const target = isForwarded
    ? targetOf(random, name, id)
    : random.pick([`/to/none/${id}`, `/${id}`, '/healthz', '/v1/whoami']);
  const fields = [random.pick(['Host: localhost', 'Host: 127.0.0.1', 'host: [::1]:80', 'HOST:localhost:8080'])];
  fields.push(random.pick([`Postern-Key: ${key}`, `Authorization: Bearer ${key}`, `x-api-key: ${key}`]));
  for (let count = random.below(4); count > 0; count -= 1) fields.push(random.pick(FIELDS));
  const body = planBody(random, method, id);
  fields.push(...body.fields);
  return {
    id,
    method,
    isForwarded,
    bytes: `${method} ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${body.text}`,
  };
}

function targetOf(random: Random, name: string, id: string): string {
  const path = `/to/${name}/${id}`;
  return random.pick([
    path,
    path,
    path,
    `${path}?q=1&q=2`,
    `${path}/a/../b`,
    `http://localhost${path}`,
    `${path}/%7Ex`,
  ]);
}

function planBody(random: Random, method: string, id: string): { fields: string[]; text: string } {
  const isLikely = method === 'POST' || method === 'PUT' || method === 'PATCH';
  if (!isLikely && !random.once(10)) return { fields: [], text: '' };
  const text = bodyText(random, id);
  if (random.once(2)) return { fields: [`Content-Length: ${text.length}`], text };
  const trailers = random.once(4) ? 'X-Sum: 1\r\n' : '';
  return { fields: ['Transfer-Encoding: chunked'], text: `${chunked(random, text)}0\r\n${trailers}\r\n` };
}

function bodyText(random: Random, id: string): string {
  switch (random.below(6)) {
    case 0:
      return '';
    case 1:
      return JSON.stringify({ id, list: [1, 2, 3] });
    case 2:
      // What would be a request if somebody took the body's beginning for its end.
      return `GET /to/api/smuggled-${id} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    case 3:
      return `0\r\n\r\n${id}`;
    case 4:
      return id.repeat(1 + random.below(200));
    default:
      return `body of ${id}`;
  }
}

export function chunked(random: Random, text: string): string {
  let chunks = '';
  for (let position = 0; position < text.length; ) {
    const size = 1 + random.below(Math.max(1, text.length - position));
    const extension = random.once(10) ? ';a="b"' : '';
    chunks += `${size.toString(16)}${extension}\r\n${text.slice(position, position + size)}\r\n`;
    position += size;
  }
  return chunks;
}
