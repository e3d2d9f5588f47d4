import { isIP, type Socket } from 'node:net';
import { type buildConnector, Client } from 'undici';
import type { PinnedTarget } from './transport.ts';

/**
 * The connections to one pinned address. Each is an undici `Client`, which is one socket at a time.
 *
 * A connection is idle (in the stack), busy (given out) or closed. The one used last is given out first, so surplus ones idle
 * away. Only an exchange that ended cleanly gives its connection back; every other end closes it. A retired pool gives out
 * nothing more and closes what comes back.
 */
export class ConnectionPool {
  readonly target: PinnedTarget;
  /** For SNI; empty for IP literals, which have none (RFC 6066 section 3). */
  readonly servername: string;
  /** Busy connections. */
  active = 0;
  /** Order of use among the transport's pools. */
  usedAt = 0;
  readonly #settings: PoolSettings;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  #retired = false;

  constructor(target: PinnedTarget, settings: PoolSettings) {
    this.target = target;
    this.servername = target.tls?.servername ?? (isIP(target.host) === 0 ? target.host : '');
    this.#settings = settings;
  }

  /** Whether a connection of this pool may carry a call to `target`; the pool key is equal already. */
  serves(target: PinnedTarget): boolean {
    const own = this.target;
    return (
      own === target ||
      (own.address === target.address &&
        own.port === target.port &&
        own.host === target.host &&
        own.scheme === target.scheme &&
        own.connectTimeoutMs === target.connectTimeoutMs &&
        own.tls?.servername === target.tls?.servername &&
        own.tls?.ca === target.tls?.ca &&
        own.tls?.cert === target.tls?.cert &&
        own.tls?.key === target.tls?.key)
    );
  }

  acquire(): Connection {
    this.active += 1;
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return this.#open();
      if (!connection.isOlderThan(this.#settings.connectionTtlMs)) {
        connection.isIdle = false;
        return connection;
      }
      this.#close(connection);
    }
  }

  /** Takes a connection back, for the next exchange or to close it. */
  release(connection: Connection, isReusable: boolean): void {
    this.active -= 1;
    if (isReusable && !this.#retired) {
      connection.isIdle = true;
      this.#idle.push(connection);
    } else {
      this.#close(connection);
    }
    this.#settings.onReleased(this);
  }

  /** Idle connections close now, busy ones when they come back. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#idle.splice(0)) this.#close(connection);
  }

  /** Closes busy connections too; undici then fails their requests. */
  breakOff(): void {
    this.retire();
    for (const connection of this.#all) this.#close(connection);
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  #open(): Connection {
    const { scheme, host, port } = this.target;
    const origin = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    const connection = new Connection(origin, this.target, this.#settings);
    this.#all.add(connection);
    connection.client.on('disconnect', () => this.#onDisconnect(connection));
    return connection;
  }

  /** The upstream or the idle time-out ended a resting connection. A busy one is the business of its exchange. */
  #onDisconnect(connection: Connection): void {
    if (!connection.isIdle) return;
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
    this.#close(connection);
    this.#settings.onReleased(this);
  }

  #close(connection: Connection): void {
    connection.isIdle = false;
    if (!this.#all.delete(connection)) return;
    // Later, for this may run inside one of undici's own callbacks.
    process.nextTick(destroyClient, connection.client, this.#settings.onClosed);
  }
}

export interface PoolSettings {
  readonly connectionTtlMs: number;
  readonly keepAliveMs: number;
  readonly keepAliveMaxMs: number;
  readonly responseHeadBytesMax: number;
  /** Makes the dialler of a pool: it must connect to `target.address` alone. */
  connector(target: PinnedTarget): buildConnector.connector;
  onOpened(): void;
  onReleased(pool: ConnectionPool): void;
  onClosed(): void;
}

/** One undici client with what undici does not tell about its socket. */
export class Connection {
  readonly client: Client;
  isIdle = false;
  /** An error of the socket, also one that undici takes for a plain end of an answer without length. */
  socketError: Error | undefined;
  #connectedAt = Number.POSITIVE_INFINITY;

  constructor(origin: string, target: PinnedTarget, settings: PoolSettings) {
    const dial = settings.connector(target);
    this.client = new Client(origin, {
      connect: (options: buildConnector.Options, callback: buildConnector.Callback) => {
        dial(options, (...answer) => {
          const [error, socket] = answer;
          if (error === null) this.#onConnected(socket);
          callback(...answer);
        });
      },
      pipelining: 1,
      allowH2: false,
      // Time budgets are kept above the transport, with one timer for each exchange.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: settings.keepAliveMs,
      keepAliveMaxTimeout: settings.keepAliveMaxMs,
      maxHeaderSize: settings.responseHeadBytesMax,
    });
    settings.onOpened();
  }

  isOlderThan(ageMs: number): boolean {
    return performance.now() - this.#connectedAt > ageMs;
  }

  #onConnected(socket: Socket): void {
    this.#connectedAt = performance.now();
    this.socketError = undefined;
    // Before undici's own listener, so that it is known when undici reports the end.
    socket.on('error', (error) => {
      this.socketError = error;
    });
  }
}

function destroyClient(client: Client, onClosed: () => void): void {
  client.destroy(null, onClosed);
}
