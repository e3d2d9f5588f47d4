import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One HTTP answer, taken from bytes. */
export interface RawAnswer {
  readonly status: number;
  /** Status line and fields as they came, without the empty line. */
  readonly head: string;
  /** Lower-case names; repeated fields joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** Without its transfer coding. */
  readonly body: Buffer;
  /** Lower-case names of the trailer section; empty when there is none. */
  readonly trailers: Readonly<Record<string, string>>;
}

/** A connection on which a test writes bytes as it likes and reads answers one by one. It never closes its side by itself. */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  write(bytes: string | Uint8Array): void;
  /** The next whole answer; `to: 'HEAD'` says that it has no body. Rejects when the connection ends before. */
  read(to?: 'HEAD'): Promise<RawAnswer>;
  /** Resolves when `accepts` takes what has come and was not read; rejects when the connection ends before. */
  received(accepts: (text: string) => boolean): Promise<void>;
  /** All that comes, read answers excepted, until the other side closes. */
  readonly rest: Promise<Buffer>;
  /** True when the other side has closed. */
  isClosed(): boolean;
}

/** Connects; text is written as latin1. */
export async function openRawConnection(port: number, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect({ port, host, allowHalfOpen: true });
  await once(socket, 'connect');
  return speakRaw(socket);
}

/** The same over a connection that stands already, such as one with TLS. */
export function speakRaw(socket: Socket): RawConnection {
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
      const parsed = await until(() => parseRawAnswer(received, to === 'HEAD'));
      received = received.subarray(parsed.byteLength);
      return parsed.answer;
    },
    received: async (accepts) => {
      await until(() => accepts(received.toString('latin1')) || undefined);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/**
 * The first answer in `bytes` and how many of them it takes; undefined when it is not whole. Strict, since a test must not trust a
 * client's mercy: knows `content-length` and chunks, and nothing else as a framing.
 *
 * @throws Error for what is no HTTP/1.1 answer.
 */
export function parseRawAnswer(
  bytes: Buffer,
  isToHead: boolean,
): { readonly answer: RawAnswer; readonly byteLength: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const [statusLine = '', ...fields] = head.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no HTTP answer: ${JSON.stringify(statusLine)}`);
  const headers = parseFields(fields);
  const start = headEnd + 4;
  const isBodyless = isToHead || status < 200 || status === 204 || status === 304;
  const body = isBodyless ? { bytes: Buffer.alloc(0), end: start, trailers: {} } : parseBody(bytes, start, headers);
  if (body === undefined) return undefined;
  return { answer: { status, head, headers, body: body.bytes, trailers: body.trailers }, byteLength: body.end };
}

function parseFields(fields: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(field);
    if (match === null) throw new Error(`no header field: ${JSON.stringify(field)}`);
    const name = (match[1] as string).toLowerCase();
    const value = match[2] as string;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

interface ParsedBody {
  readonly bytes: Buffer;
  readonly end: number;
  readonly trailers: Readonly<Record<string, string>>;
}

function parseBody(bytes: Buffer, start: number, headers: Readonly<Record<string, string>>): ParsedBody | undefined {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (coding !== undefined && coding !== 'chunked') throw new Error(`an unknown transfer coding: ${coding}`);
  if (coding !== undefined && length !== undefined) throw new Error('both a length and chunks');
  if (coding !== undefined) return parseChunks(bytes, start);
  if (length !== undefined && !/^\d+$/.test(length)) throw new Error(`no length: ${length}`);
  const end = start + Number(length ?? 0);
  return bytes.length < end ? undefined : { bytes: bytes.subarray(start, end), end, trailers: {} };
}

function parseChunks(bytes: Buffer, start: number): ParsedBody | undefined {
  const chunks: Buffer[] = [];
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', position);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString('latin1', position, lineEnd);
    if (!/^[0-9a-fA-F]+$/.test(line)) throw new Error(`no chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    if (size === 0) return parseTrailers(bytes, lineEnd + 2, chunks);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (bytes.toString('latin1', next - 2, next) !== '\r\n')
      throw new Error('a chunk that does not end where it should');
    chunks.push(bytes.subarray(lineEnd + 2, next - 2));
    position = next;
  }
}

function parseTrailers(bytes: Buffer, start: number, chunks: readonly Buffer[]): ParsedBody | undefined {
  if (bytes.length < start + 2) return undefined;
  if (bytes.toString('latin1', start, start + 2) === '\r\n')
    return { bytes: Buffer.concat(chunks), end: start + 2, trailers: {} };
  const end = bytes.indexOf('\r\n\r\n', start);
  if (end < 0) return undefined;
  const trailers = parseFields(bytes.toString('latin1', start, end).split('\r\n'));
  return { bytes: Buffer.concat(chunks), end: end + 4, trailers };
}
