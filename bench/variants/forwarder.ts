import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createLane,
  createUndiciTransport,
  LIMIT_DEFAULTS,
  startExchange,
  TIMEOUT_DEFAULTS,
} from '@postern/proxy-runtime';

const upstreamPort = Number(process.env['UPSTREAM_PORT']);
const injected = ['host', `127.0.0.1:${upstreamPort}`, 'authorization', `Bearer ${process.env['UPSTREAM_SECRET']}`];
const target = {
  poolKey: 'upstream',
  scheme: 'http',
  host: '127.0.0.1',
  port: upstreamPort,
  address: '127.0.0.1',
} as const;
const lane = createLane({
  transport: createUndiciTransport(),
  baseUrl: `http://127.0.0.1:${upstreamPort}`,
  timeouts: TIMEOUT_DEFAULTS,
  limits: LIMIT_DEFAULTS,
});

/** RFC 9110 section 7.6.1. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'proxy-connection'];
const NOT_FORWARDED = new Set([...HOP_BY_HOP, 'host', 'content-length', 'authorization']);
const NOT_RETURNED = new Set(HOP_BY_HOP);

/** Keeps a record of each call. */
export interface Recorder {
  /** Resolves with the id of the call when its intent is durable. */
  begin(): Promise<string>;
  end(requestId: string): void;
}

/**
 * The least that forwards on Postern's transport: node:http in front, the runtime's exchange behind, hop-by-hop fields dropped, the
 * credential injected. It collects the body before it sends, as Postern must, because that is also the cheaper way.
 */
export function serveForwarder(recorder?: Recorder): void {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (recorder === undefined) forward(request, response, chunks);
      else void recorded(recorder, request, response, chunks);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') console.log(`ready port=${address.port}`);
  });
}

async function recorded(
  recorder: Recorder,
  request: IncomingMessage,
  response: ServerResponse,
  chunks: readonly Buffer[],
): Promise<void> {
  try {
    const requestId = await recorder.begin();
    response.once('finish', () => recorder.end(requestId));
    forward(request, response, chunks);
  } catch (error) {
    response.destroy(error instanceof Error ? error : undefined);
  }
}

function forward(request: IncomingMessage, response: ServerResponse, chunks: readonly Buffer[]): void {
  const headers = without(request.rawHeaders, NOT_FORWARDED);
  headers.push(...injected);
  const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  let bytesLeft = Number.POSITIVE_INFINITY;
  const exchange = startExchange(
    lane,
    { target, request: { method: request.method ?? 'GET', pathAndQuery: request.url ?? '/', headers, body } },
    {
      onHead(status, fields) {
        bytesLeft = announcedLength(fields);
        response.writeHead(status, without(fields, NOT_RETURNED));
      },
      onData(chunk) {
        bytesLeft -= chunk.byteLength;
        // Body and end in one write, as Postern does: without it the yardstick would be shorter than it need be.
        if (bytesLeft === 0) response.end(chunk);
        return bytesLeft === 0 || response.write(chunk);
      },
      onEnd: () => void (response.writableEnded || response.end()),
      onFailure: (failure) => void response.destroy(failure),
    },
  );
  response.on('drain', () => exchange.resume());
}

function announcedLength(fields: readonly string[]): number {
  const index = fields.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-length');
  return index < 0 ? Number.POSITIVE_INFINITY : Number(fields[index + 1]);
}

function without(fields: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string;
    if (!names.has(name.toLowerCase())) kept.push(name, fields[index + 1] as string);
  }
  return kept;
}
