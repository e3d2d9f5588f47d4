import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, type Problem } from '@postern/schemas';

export interface Answer {
  readonly status: number;
  /** Lower-case names; repeated fields joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
  json(): any;
  /** The problem document; throws when the answer is none. */
  problem(): Problem;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

/** Who is called, and the key it is called with. */
export interface Callee {
  readonly port: number;
  readonly key: string;
}

/** One call with the agent's key on a connection of its own; `path` goes out as it is. Rejects when the answer is cut. */
export async function call({ port, key }: Callee, path: string, options: CallOptions = {}): Promise<Answer> {
  return collect(await begin({ port, key }, path, options));
}

/** As `call`, resolved with the head, for what lasts. */
export async function begin({ port, key }: Callee, path: string, options: CallOptions): Promise<IncomingMessage> {
  const { method = options.body === undefined ? 'GET' : 'POST', body } = options;
  const headers: OutgoingHttpHeaders = { 'postern-key': key, ...options.headers };
  if (body !== undefined && headers['content-length'] === undefined)
    headers['content-length'] = Buffer.byteLength(body);
  const outgoing = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false });
  const answered = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = (await answered) as [IncomingMessage];
  outgoing.on('error', () => undefined);
  return response;
}

export async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) headers[name] = [value].flat().join(', ');
  return toAnswer(response.statusCode ?? 0, headers, Buffer.concat(chunks));
}

export function postJson(callee: Callee, path: string, document: unknown): Promise<Answer> {
  return call(callee, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof document === 'string' ? document : JSON.stringify(document),
  });
}

function toAnswer(status: number, headers: Record<string, string>, body: Buffer): Answer {
  const text = body.toString('utf8');
  return {
    status,
    headers,
    body,
    text,
    json: () => JSON.parse(text),
    problem: () => {
      if (headers['content-type'] !== PROBLEM_MEDIA_TYPE) throw new Error(`${status}, and no problem: ${text}`);
      return JSON.parse(text) as Problem;
    },
  };
}

/** A connection on which a test writes bytes as it likes and reads answers one by one. It never closes its side by itself. */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  write(bytes: string | Uint8Array): void;
  /** The next whole answer; `to: 'HEAD'` says that it has no body. Rejects when the connection ends before. */
  read(to?: 'HEAD'): Promise<Answer>;
  /** Resolves when `accepts` takes what has come and was not read; rejects when the connection ends before. */
  received(accepts: (text: string) => boolean): Promise<void>;
  /** All that comes, read answers excepted, until the other side closes. */
  readonly rest: Promise<Buffer>;
  /** True when the other side has closed. */
  isClosed(): boolean;
}

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  let received = Buffer.alloc(0);
  let isClosed = false;
  let wake: () => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', () => undefined);
  const rest = new Promise<Buffer>((resolve) => {
    const end = () => {
      isClosed = true;
      resolve(received);
      wake();
    };
    socket.once('end', end);
    socket.once('close', end);
  });
  /** What `look` finds in the bytes that have come, as soon as it finds something. */
  async function until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (isClosed)
        throw new Error(`the connection ended in the middle: ${JSON.stringify(received.toString('latin1'))}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  return {
    socket,
    rest,
    isClosed: () => isClosed,
    write: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    read: async (to) => {
      const parsed = await until(() => parseAnswer(received, to));
      received = received.subarray(parsed.length);
      return parsed.answer;
    },
    received: async (accepts) => {
      await until(() => accepts(received.toString('latin1')) || undefined);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** The first answer in `bytes` when it is whole. Knows `content-length` and chunks, since a test must not trust a client's mercy. */
function parseAnswer(bytes: Buffer, to: 'HEAD' | undefined): { answer: Answer; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...fields] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no HTTP answer: ${JSON.stringify(statusLine)}`);
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const start = headEnd + 4;
  const bodyless = to === 'HEAD' || status < 200 || status === 204 || status === 304;
  const body = bodyless ? { bytes: Buffer.alloc(0), end: start } : parseBody(bytes, start, headers);
  return body === undefined ? undefined : { answer: toAnswer(status, headers, body.bytes), length: body.end };
}

function parseBody(
  bytes: Buffer,
  start: number,
  headers: Readonly<Record<string, string>>,
): { bytes: Buffer; end: number } | undefined {
  if (headers['transfer-encoding'] !== 'chunked') {
    const end = start + Number(headers['content-length'] ?? 0);
    return bytes.length < end ? undefined : { bytes: bytes.subarray(start, end), end };
  }
  const chunks: Buffer[] = [];
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', position);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', position, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), end: next };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    position = next;
  }
}
