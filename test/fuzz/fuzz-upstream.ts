import { createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

/** A request as the upstream's own, strict reading of the bytes has it. */
export interface SeenRequest {
  readonly requestId: string;
  readonly head: string;
  readonly target: string;
  readonly body: Buffer;
}

/** What the upstream does with one request instead of echoing it. */
export interface Behaviour {
  /** Written one after the other, the event loop having turned in between. */
  readonly pieces: readonly Buffer[];
  readonly ending: 'keep' | 'end' | 'reset';
}

export interface FuzzUpstream {
  readonly url: string;
  readonly port: number;
  /** By the request id that the gateway gave it. */
  readonly seen: ReadonlyMap<string, SeenRequest>;
  /** What no upstream should have to read. */
  readonly complaints: string[];
  /** By the id in the target: what is done with that request. */
  readonly behaviours: Map<string, Behaviour>;
  forget(): void;
  close(): Promise<void>;
}

/**
 * An upstream with a reader of its own: what it does not understand at once, to the byte, is a complaint, since the gateway must send
 * nothing but plain requests.
 */
export async function startFuzzUpstream(): Promise<FuzzUpstream> {
  const seen = new Map<string, SeenRequest>();
  const complaints: string[] = [];
  const behaviours = new Map<string, Behaviour>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    serve(
      socket,
      (request) => {
        if (seen.has(request.requestId)) complaints.push(`the same request twice: ${request.head}`);
        seen.set(request.requestId, request);
        return behaviours.get(idOf(request.target) ?? '') ?? { pieces: [echo(request)], ending: 'keep' };
      },
      complaints,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    complaints,
    behaviours,
    forget: () => {
      seen.clear();
      behaviours.clear();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(socket: Socket, answer: (request: SeenRequest) => Behaviour, complaints: string[]): void {
  let received: Buffer = Buffer.alloc(0);
  let isBusy = false;
  const read = async () => {
    if (isBusy) return;
    const parsed = parseRequest(received, complaints);
    if (parsed === undefined) return;
    received = received.subarray(parsed.byteLength);
    isBusy = true;
    const { pieces, ending } = answer(parsed.request);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await new Promise(setImmediate);
      if (!socket.destroyed) socket.write(piece);
    }
    isBusy = false;
    if (ending === 'end') socket.end();
    else if (ending === 'reset') socket.resetAndDestroy();
    else read();
  };
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    read();
  });
}

const REQUEST_LINE = /^([A-Z][A-Z-]*) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/;

function parseRequest(bytes: Buffer, complaints: string[]): { request: SeenRequest; byteLength: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const [line = '', ...lines] = head.split('\r\n');
  const fields = lines.map((text) => FIELD.exec(text));
  const target = REQUEST_LINE.exec(line)?.[2];
  if (target === undefined || fields.includes(null)) complaints.push(`no request: ${JSON.stringify(head)}`);
  const values = (name: string) =>
    fields.filter((match) => match?.[1]?.toLowerCase() === name).map((match) => match?.[2] ?? '');
  const [requestId = '', ...moreIds] = values('x-request-id');
  const lengths = values('content-length');
  const codings = values('transfer-encoding');
  const isPlain =
    values('host').length === 1 && lengths.length + codings.length <= 1 && moreIds.length === 0 && requestId !== '';
  if (!isPlain) complaints.push(`a request with doubtful framing: ${JSON.stringify(head)}`);
  if (codings.length > 0) complaints.push(`a body without its length: ${JSON.stringify(head)}`);
  const end = headEnd + 4 + Number(lengths[0] ?? 0);
  if (bytes.length < end) return undefined;
  return {
    request: { requestId, head, target: target ?? '', body: bytes.subarray(headEnd + 4, end) },
    byteLength: end,
  };
}

/** The id that a case put into a path. */
export function idOf(target: string): string | undefined {
  return /^\/(c[0-9a-z]+-[0-9a-z]+)(?![0-9a-z-])/.exec(target)?.[1];
}

export function echo(request: SeenRequest): Buffer {
  return answerBytes(fieldsOf(request), 'content-length: 2\r\n', 'ok', request.head.startsWith('HEAD '));
}

function fieldsOf({ target, requestId }: SeenRequest): string {
  return `x-fuzz-id: ${idOf(target) ?? '-'}\r\nx-fuzz-request: ${requestId}\r\n`;
}

function answerBytes(fields: string, framing: string, body: string, isToHead: boolean): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\n${fields}${framing}\r\n${isToHead ? '' : body}`, 'latin1');
}

/** Answers in every framing, for a request whose id is known and whose request id is not yet. */
export function plainAnswers(id: string, secret: string): readonly Buffer[] {
  const fields = `x-fuzz-id: ${id}\r\n`;
  const text = `answer to ${id}`;
  const chunks = `3\r\n${text.slice(0, 3)}\r\n${(text.length - 3).toString(16)};x=y\r\n${text.slice(3)}\r\n`;
  const packed = gzipSync(text).toString('latin1');
  return [
    answerBytes(fields, `Content-Length: ${text.length}\r\n`, text, false),
    answerBytes(fields, 'Transfer-Encoding: chunked\r\n', `${chunks}0\r\n\r\n`, false),
    answerBytes(fields, 'Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n', `${chunks}0\r\nX-Sum: 1\r\n\r\n`, false),
    answerBytes(fields, 'Connection: close\r\n', text, false),
    answerBytes(fields, `Content-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n`, packed, false),
    answerBytes(
      fields,
      'Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n',
      '9\r\ndata: 1\n\n\r\n0\r\n\r\n',
      false,
    ),
    answerBytes(fields, `X-Echo: Bearer ${secret}\r\nContent-Length: ${secret.length}\r\n`, secret, false),
    answerBytes(
      fields,
      'Transfer-Encoding: chunked\r\n',
      `4\r\n${secret.slice(0, 4)}\r\n${(secret.length - 4).toString(16)}\r\n${secret.slice(4)}\r\n0\r\n\r\n`,
      false,
    ),
    answerBytes(fields, 'Content-Length: 200\r\n', Buffer.from(secret).toString('base64').padEnd(200), false),
    Buffer.from(`HTTP/1.1 204 No Content\r\n${fields}\r\n`, 'latin1'),
    Buffer.from(`HTTP/1.1 304 Not Modified\r\n${fields}ETag: "x"\r\n\r\n`, 'latin1'),
    Buffer.from(`HTTP/1.1 302 Found\r\n${fields}Location: /there\r\nContent-Length: 0\r\n\r\n`, 'latin1'),
    Buffer.from(`HTTP/1.1 500 Oops\r\n${fields}Content-Length: 4\r\n\r\noops`, 'latin1'),
    Buffer.from(`HTTP/1.0 200 OK\r\n${fields}\r\n${text}`, 'latin1'),
    Buffer.from(
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`,
      'latin1',
    ),
  ];
}
