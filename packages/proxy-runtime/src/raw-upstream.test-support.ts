import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { BreakerSettings } from './breaker.ts';
import { type ExchangeSink, startExchange } from './exchange.ts';
import { createLane, type ResponseLimits, type Timeouts, type UpstreamLane } from './lane.ts';
import type { LimitSignal } from './limit-signals.ts';
import { type OutgoingRequest, type PinnedTarget, poolKey } from './transport.ts';
import { createUndiciTransport, type UndiciTransportOptions } from './undici-transport.ts';
import { BREAKER_DEFAULTS, LIMIT_DEFAULTS, RETRY_DEFAULTS, TIMEOUT_DEFAULTS } from './upstream-config.ts';
import type { UpstreamFailure } from './upstream-failure.ts';
import type { RetrySettings } from './with-retries.ts';

/** A TCP server that says exactly what a test wants, also what no HTTP library would. */
export interface RawUpstream {
  readonly port: number;
  readonly target: PinnedTarget;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Everything received so far, on all connections, as latin1. */
  readonly received: string;
  readonly sockets: readonly Socket[];
  /** Requests received whole so far. */
  readonly requests: number;
  /** Resolves when `count` request heads have arrived. */
  heads(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Calls `onRequest` for each complete request head (and a `content-length` body, which it skips). */
export async function startRawUpstream(onRequest: (socket: Socket, head: string) => void): Promise<RawUpstream> {
  const sockets: Socket[] = [];
  let received = '';
  let headCount = 0;
  let waiting: { count: number; resolve: () => void }[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    let pending = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      received += text;
      pending += text;
      for (;;) {
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(pending.slice(0, end))?.[1] ?? 0);
        if (pending.length < end + 4 + length) return;
        const head = pending.slice(0, end + 4 + length);
        pending = pending.slice(end + 4 + length);
        headCount += 1;
        onRequest(socket, head);
        for (const one of waiting) if (headCount >= one.count) one.resolve();
        waiting = waiting.filter((one) => headCount < one.count);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    target: targetOf(port),
    get accepted() {
      return sockets.length;
    },
    get received() {
      return received;
    },
    sockets,
    get requests() {
      return headCount;
    },
    heads(count) {
      if (headCount >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export function targetOf(port: number, over: Partial<PinnedTarget> = {}): PinnedTarget {
  const host = over.host ?? 'upstream.test';
  const key = poolKey({ tenant: 'default', integration: 'demo', scheme: 'http', host, port });
  return { poolKey: key, scheme: 'http', host, port, address: '127.0.0.1', ...over };
}

export interface LaneSettings {
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<ResponseLimits>;
  readonly basePath?: string;
  readonly transport?: Partial<UndiciTransportOptions>;
  /** Default: one attempt. */
  readonly retry?: Partial<RetrySettings>;
  readonly limitSignals?: readonly LimitSignal[];
  /** Default: none. */
  readonly breaker?: Partial<BreakerSettings>;
  readonly clock?: () => number;
  /** Default: no wait before a further attempt. */
  readonly random?: () => number;
  readonly now?: () => number;
}

export function laneFor(upstream: { readonly port: number }, settings: LaneSettings = {}): UpstreamLane {
  return createLane({
    transport: createUndiciTransport(settings.transport),
    timeouts: { ...TIMEOUT_DEFAULTS, ...settings.timeouts },
    limits: { ...LIMIT_DEFAULTS, ...settings.limits },
    baseUrl: `http://upstream.test:${upstream.port}${settings.basePath ?? ''}`,
    retry: settings.retry === undefined ? undefined : { ...RETRY_DEFAULTS, ...settings.retry },
    breaker: settings.breaker === undefined ? undefined : { ...BREAKER_DEFAULTS, ...settings.breaker },
    limitSignals: settings.limitSignals,
    clock: settings.clock,
    random: settings.random ?? (() => 0),
    now: settings.now,
  });
}

export function get(pathAndQuery: string, over: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return { method: 'GET', pathAndQuery, headers: ['host', 'upstream.test'], ...over };
}

/** A sink that writes down what it hears and lets a test wait for it. */
export class RecordingSink implements ExchangeSink {
  status: number | undefined;
  headers: string[] = [];
  isStream: boolean | undefined;
  chunks: string[] = [];
  bytes = 0;
  trailers: string[] | undefined;
  failure: UpstreamFailure | undefined;
  /** What `onData` answers. */
  takesMore = true;
  readonly head = Promise.withResolvers<void>();
  readonly over = Promise.withResolvers<void>();
  #watched: { until: () => boolean; resolve: () => void }[] = [];

  onHead(status: number, headers: string[], isStream: boolean): void {
    this.status = status;
    this.headers = headers;
    this.isStream = isStream;
    this.head.resolve();
  }

  onData(chunk: Uint8Array): boolean {
    this.bytes += chunk.length;
    this.chunks.push(Buffer.from(chunk).toString('latin1'));
    for (const one of this.#watched) if (one.until()) one.resolve();
    return this.takesMore;
  }

  onEnd(trailers: string[]): void {
    this.trailers = trailers;
    this.over.resolve();
  }

  onFailure(failure: UpstreamFailure): void {
    this.failure = failure;
    this.over.resolve();
  }

  /** Resolves once the condition holds after some chunk. */
  when(until: () => boolean): Promise<void> {
    if (until()) return Promise.resolve();
    return new Promise((resolve) => this.#watched.push({ until, resolve }));
  }

  get body(): string {
    return this.chunks.join('');
  }
}

export interface Setting {
  readonly upstream: RawUpstream;
  readonly lane: UpstreamLane;
}

/** An upstream and a lane to it; both go when the test is finished. */
export async function setUp(
  onRequest: (socket: Socket, head: string) => void,
  settings: LaneSettings = {},
): Promise<Setting> {
  const upstream = await startRawUpstream(onRequest);
  const lane = laneFor(upstream, settings);
  onTestFinished(async () => {
    await lane.transport.destroy();
    await upstream.close();
  });
  return { upstream, lane };
}

/** Sends one request and waits for its end. */
export async function exchangeOnce({ upstream, lane }: Setting, request = get('/')): Promise<RecordingSink> {
  const sink = new RecordingSink();
  startExchange(lane, { target: upstream.target, request }, sink);
  await sink.over.promise;
  return sink;
}

export function answers(text: string): (socket: Socket) => void {
  return (socket) => socket.write(text, 'latin1');
}
