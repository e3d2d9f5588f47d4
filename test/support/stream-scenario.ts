import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type RecordedRequest, startUpstream, type Upstream } from '@postern/testing';
import { onTestFinished, vi } from 'vitest';
import { type Answer, call } from './http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from './scenario.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

/** `requestBytes` of the integration `api`. */
export const STREAM_LIMIT = 1_000_000;

export const streamActions = [
  { name: 'upload', methods: ['PUT', 'POST', 'DELETE'], paths: ['/up/**'], risk: 'low', body: 'stream' },
];

const coder = newAgent('coder');

/** A gateway whose integrations `api` and `big` pass bodies below `/up/` on as they come; nobody listens for `away`. */
export interface StreamScenario extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly gateway: RunningGateway;
  readonly coder: typeof coder;
  readonly key: { readonly 'postern-key': string };
  /** The request that came to the upstream last. */
  last(): RecordedRequest | undefined;
  /** Makes the upstream answer at the end of each request, with the number of its bytes. */
  answerAsAtFirst(): void;
  post(path: string, body: string | Uint8Array | readonly Uint8Array[], headers?: object): Promise<Answer>;
  /** A request whose body is written by hand. */
  beginUpload(path: string, fields?: readonly string[]): Promise<Upload>;
}

export interface Upload {
  readonly socket: Socket;
  write(text: string | Uint8Array): void;
  chunk(bytes: string | Uint8Array): void;
  end(): void;
  /** Resolves with all that came back once it fits. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with all that came back once the connection is closed. */
  closed(): Promise<string>;
}

export async function startStreamScenario(): Promise<StreamScenario> {
  const upstream = await startUpstream({ answerAt: 'head' });
  // Upstreams that fail by the dozen are what some of these tests are about.
  const breaker = { failures: 1_000 };
  const more = { actions: streamActions, limits: { requestBytes: STREAM_LIMIT }, listen: '127.0.0.1:0', breaker };
  const integrations = [
    integration('api', upstream.url, more),
    integration('big', upstream.url, { actions: streamActions, limits: { requestBytes: 1_000_000_000 } }),
    integration('away', `http://127.0.0.1:${await portOfNobody()}`, { actions: streamActions, retry: { attempts: 1 } }),
  ];
  const rules = [
    ALLOW_ALL,
    { id: 'no', effect: 'deny', paths: ['/up/denied'] },
    { id: 'ask', effect: 'require_approval', paths: ['/up/asks'] },
  ];
  const gateway = await startGateway({ config: configOf([coder], integrations, { rules }) });
  const key = { 'postern-key': coder.key };
  return {
    upstream,
    gateway,
    coder,
    key,
    last: () => upstream.requests.at(-1),
    answerAsAtFirst: () => {
      upstream.answerWith(async (request, response) => {
        await request.ended;
        if (request.complete) response.end(`${request.body.byteLength} bytes`);
      });
    },
    post: (path, body, headers = {}) =>
      call(gateway.dataUrl, path, { method: 'POST', headers: { ...key, ...headers }, body }),
    beginUpload: (path, fields = []) => beginUpload(gateway.dataUrl, path, fields),
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await upstream.close();
    },
  };
}

export function sha256(bytes: Uint8Array): string {
  return `sha-256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function portOfNobody(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function beginUpload(dataUrl: string, path: string, fields: readonly string[]): Promise<Upload> {
  const { hostname, port } = new URL(dataUrl);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  const framing = fields.some((field) => field.startsWith('Content-Length')) ? [] : ['Transfer-Encoding: chunked'];
  socket.write(
    [`POST ${path} HTTP/1.1`, 'Host: localhost', `Postern-Key: ${coder.key}`, ...framing, ...fields, '', ''].join(
      '\r\n',
    ),
  );
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    chunk: (bytes) => {
      socket.write(`${Buffer.byteLength(bytes).toString(16)}\r\n`);
      socket.write(bytes);
      socket.write('\r\n');
    },
    end: () => void socket.write('0\r\n\r\n'),
    until: (pattern) =>
      vi.waitFor(
        () => {
          if (!pattern.test(text)) throw new Error(`so far came ${JSON.stringify(text)}`);
          return text;
        },
        { timeout: 10_000, interval: 5 },
      ),
    closed: () => closed.then(() => text),
  };
}
