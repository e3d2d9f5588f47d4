import { createPinnedConnector } from '@postern/ssrf-guard';
import type { buildConnector } from 'undici';
import { ConnectionPool, type PoolSettings } from './connection-pool.ts';
import type { Exchange, OutgoingRequest, PinnedTarget, ResponseSink, Transport } from './transport.ts';
import { UndiciExchange } from './undici-exchange.ts';

export interface UndiciTransportOptions {
  /** Makes the dialler for a target; it must connect to `target.address` and to nothing else. Default: the guard's pinned connector. */
  readonly connector?: ((target: PinnedTarget) => buildConnector.connector) | undefined;
  /** Age after which a connection takes no further request. Default 270 s: with an ordinary call's 30 s on top, none outlives 300 s. */
  readonly connectionTtlMs?: number | undefined;
  /** How long an idle connection is kept when the upstream does not say; default 4 s. */
  readonly keepAliveMs?: number | undefined;
  /** The most an upstream's `Keep-Alive: timeout=` can ask for; default 25 s. */
  readonly keepAliveMaxMs?: number | undefined;
  /** Pools without a running call that are kept; default 256. Beyond it the least recently used are closed. */
  readonly idlePoolsMax?: number | undefined;
  /** Bytes of names and values in a response head, and again in its trailers; default 32 KiB. */
  readonly responseHeadBytesMax?: number | undefined;
}

/** A transport on undici: HTTP/1.1, one request at a time on a connection. */
export function createUndiciTransport(options: UndiciTransportOptions = {}): Transport {
  return new UndiciTransport(options);
}

/** State: open, closing (no new exchange, running ones go on), closed (no connection left). */
class UndiciTransport implements Transport {
  readonly #pools = new Map<string, ConnectionPool>();
  /** Retired pools whose calls still run. */
  readonly #leaving = new Set<ConnectionPool>();
  readonly #settings: PoolSettings;
  readonly #idlePoolsMax: number;
  #connections = 0;
  #uses = 0;
  #closed: PromiseWithResolvers<void> | undefined;

  constructor(options: UndiciTransportOptions) {
    this.#idlePoolsMax = options.idlePoolsMax ?? 256;
    this.#settings = {
      connectionTtlMs: options.connectionTtlMs ?? 270_000,
      keepAliveMs: options.keepAliveMs ?? 4_000,
      keepAliveMaxMs: options.keepAliveMaxMs ?? 25_000,
      responseHeadBytesMax: options.responseHeadBytesMax ?? 32_768,
      connector: options.connector ?? pinnedConnector,
      onOpened: () => {
        this.#connections += 1;
      },
      onReleased: (pool) => this.#onReleased(pool),
      onClosed: () => {
        this.#connections -= 1;
        this.#settle();
      },
    };
  }

  send(target: PinnedTarget, request: OutgoingRequest, sink: ResponseSink): Exchange {
    const exchange = new UndiciExchange(request, sink);
    if (this.#closed === undefined) exchange.dispatch(this.#poolOf(target));
    else exchange.refuse('the transport is closed');
    return exchange;
  }

  closePools(prefix: string): number {
    let count = 0;
    for (const pool of [...this.#pools.values()]) {
      if (!pool.target.poolKey.startsWith(prefix)) continue;
      this.#retire(pool);
      count += 1;
    }
    return count;
  }

  close(): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    this.closePools('');
    this.#settle();
    return this.#closed.promise;
  }

  destroy(): Promise<void> {
    const closed = this.close();
    for (const pool of this.#leaving) pool.breakOff();
    return closed;
  }

  #poolOf(target: PinnedTarget): ConnectionPool {
    let pool = this.#pools.get(target.poolKey);
    if (pool === undefined || !pool.serves(target)) {
      if (pool !== undefined) this.#retire(pool);
      pool = new ConnectionPool(target, this.#settings);
      this.#pools.set(target.poolKey, pool);
      if (this.#pools.size > this.#idlePoolsMax) this.#evict();
    }
    this.#uses += 1;
    pool.usedAt = this.#uses;
    return pool;
  }

  #evict(): void {
    let oldest: ConnectionPool | undefined;
    for (const pool of this.#pools.values()) {
      if (pool.active > 0 || pool.usedAt === 0) continue;
      if (oldest === undefined || pool.usedAt < oldest.usedAt) oldest = pool;
    }
    if (oldest !== undefined) this.#retire(oldest);
  }

  #retire(pool: ConnectionPool): void {
    this.#pools.delete(pool.target.poolKey);
    if (pool.active > 0) this.#leaving.add(pool);
    pool.retire();
  }

  #onReleased(pool: ConnectionPool): void {
    if (pool.active > 0) return;
    this.#leaving.delete(pool);
    if (pool.isEmpty && this.#pools.get(pool.target.poolKey) === pool) this.#pools.delete(pool.target.poolKey);
  }

  #settle(): void {
    if (this.#connections === 0) this.#closed?.resolve();
  }
}

function pinnedConnector(target: PinnedTarget): buildConnector.connector {
  const { scheme, host, port, address, tls, connectTimeoutMs } = target;
  return createPinnedConnector({
    scheme,
    host,
    port,
    address,
    connectTimeoutMs,
    ca: tls?.ca,
    servername: tls?.servername,
    cert: tls?.cert,
    key: tls?.key,
  });
}
