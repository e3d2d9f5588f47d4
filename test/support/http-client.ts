import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { Problem } from '@postern/schemas';

export interface CallOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array | readonly Uint8Array[];
}

export interface Answer {
  readonly status: number;
  /** Lower-case names; repeated fields joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of all shapes.
  json(): any;
  problem(): Problem;
}

/** One request on a connection of its own. `path` goes out as it is, dot segments and all. Rejects when the answer is cut. */
export async function call(baseUrl: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(baseUrl);
  const { method = options.body === undefined ? 'GET' : 'POST', headers = {}, body } = options;
  const outgoing = httpRequest({ host: hostname.replace(/^\[|\]$/g, ''), port, method, path, headers, agent: false });
  const pieces = typeof body === 'string' || body instanceof Uint8Array ? [body] : (body ?? []);
  // A list of pieces goes out chunked.
  if (pieces.length === 1 && !outgoing.hasHeader('transfer-encoding') && !outgoing.hasHeader('content-length')) {
    outgoing.setHeader('content-length', Buffer.byteLength(pieces[0] as string | Uint8Array));
  }
  // A refusal may come, and the connection end, before all of the body is written.
  const answered = once(outgoing, 'response');
  for (const piece of pieces) outgoing.write(piece);
  outgoing.end();
  const [response] = (await answered) as [IncomingMessage];
  outgoing.on('error', () => undefined);
  return collect(response);
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) headers[name] = [value].flat().join(', ');
  return answer(response.statusCode ?? 0, headers, Buffer.concat(chunks));
}

function answer(status: number, headers: Record<string, string>, body: Buffer): Answer {
  const text = body.toString('utf8');
  return {
    status,
    headers,
    body,
    text,
    json: () => JSON.parse(text),
    problem: () => {
      if (headers['content-type'] !== 'application/problem+json')
        throw new Error(`no problem document but ${status} ${headers['content-type']}: ${text}`);
      return JSON.parse(text) as Problem;
    },
  };
}

const RAW_MS_MAX = 15_000;

/** Writes bytes as they are and reads until the other side closes. Give `Connection: close` where the request is well-formed. */
export async function sendRaw(baseUrl: string, bytes: string | Uint8Array): Promise<Answer> {
  const text = await exchangeRaw(baseUrl, bytes);
  const [head = '', ...rest] = text.toString('latin1').split('\r\n\r\n');
  const [statusLine = '', ...fields] = head.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no HTTP answer: ${JSON.stringify(head)}`);
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
  }
  return answer(status, headers, Buffer.from(rest.join('\r\n\r\n'), 'latin1'));
}

/** All bytes that come back until the connection ends. */
export async function exchangeRaw(baseUrl: string, bytes: string | Uint8Array): Promise<Buffer> {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), RAW_MS_MAX);
  await once(socket, 'connect');
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await once(socket, 'close');
  clearTimeout(timer);
  return Buffer.concat(chunks);
}
