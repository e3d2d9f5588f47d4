import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { AbstractConnector, RedisOptions } from 'ioredis';

type Options = Pick<RedisOptions, 'host' | 'port' | 'tls' | 'disconnectTimeout'>;

/**
 * Connects as the client's own connector does, but for one thing: that listens to one error of a socket, and a TLS socket may tell of two, that
 * we refuse the certificate and what the server says to that. The second would end the process.
 */
export function steadyConnectorOf(Base: typeof AbstractConnector) {
  return class SteadyConnector extends Base {
    readonly #options: Options;

    /** Given all options of the client. */
    constructor(options: unknown) {
      const given = options as Options;
      super(given.disconnectTimeout ?? 0);
      this.#options = given;
    }

    connect(): Promise<Socket | TLSSocket> {
      this.connecting = true;
      return new Promise((resolve, reject) => {
        process.nextTick(() => {
          if (!this.connecting) return reject(new Error('the connection was given up before it was begun'));
          const { host = '127.0.0.1', port = 6_379, tls } = this.#options;
          const stream = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...tls });
          stream.on('error', (error: Error) => {
            this.firstError ??= error;
          });
          this.stream = stream;
          resolve(stream);
        });
      });
    }
  };
}
