import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { PROBLEM_MEDIA_TYPE, type Problem } from '@postern/schemas';
import { openRawConnection, type RawConnection as RawBytes } from '@postern/testing';

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

function toAnswer(status: number, headers: Readonly<Record<string, string>>, body: Buffer): Answer {
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

/** A raw connection whose answers are read as those of `call`. */
export interface RawConnection extends Omit<RawBytes, 'read'> {
  read(to?: 'HEAD'): Promise<Answer>;
  /** Resolves when the server has read what was written: it has answered a request on another connection since. */
  idle(): Promise<void>;
}

export async function openRaw(port: number): Promise<RawConnection> {
  const connection = await openRawConnection(port);
  return {
    ...connection,
    read: async (to) => {
      const { status, headers, body } = await connection.read(to);
      return toAnswer(status, headers, body);
    },
    idle: async () => {
      // Twice, for what is written here may reach the server's kernel only after the first has been accepted.
      for (let round = 0; round < 2; round += 1) await askForHealth(port);
    },
  };
}

async function askForHealth(port: number): Promise<void> {
  const outgoing = httpRequest({ host: '127.0.0.1', port, path: '/healthz', agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  await collect(response);
}
