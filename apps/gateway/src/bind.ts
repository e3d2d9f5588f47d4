import type { Server } from 'node:net';
import type { BindAddress } from './settings.ts';

/** A listener that could not be bound; the message says which variable to change. */
export class BindError extends Error {
  override readonly name = 'BindError';
}

/** Binds and tells where; `variable` is named when the address is taken. */
export function bind(server: Server, where: BindAddress, variable: string): Promise<BindAddress> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      const { address, port } = where;
      const why = error.code === 'EADDRINUSE' ? 'another program listens there' : `it failed with ${error.code}`;
      reject(
        new BindError(
          `${variable}: cannot listen on ${address}:${port}: ${why}. Name another address, or port 0 for any free one.`,
          { cause: error },
        ),
      );
    };
    server.once('error', refuse);
    server.listen(where.port, where.address, () => {
      server.off('error', refuse);
      const bound = server.address();
      if (bound === null || typeof bound === 'string')
        return reject(new BindError(`${variable}: not bound to an address`));
      resolve({ address: bound.address, port: bound.port });
    });
  });
}

/** `http://127.0.0.1:8080`; wildcard addresses are told as loopback, where a person on this machine reaches them. */
export function urlOf(bound: BindAddress, isTls: boolean): string {
  const { address } = bound;
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound.port}`;
}

/** `0.0.0.0:8080`, `[::1]:8080`: as it is bound. */
export function listenOf({ address, port }: BindAddress): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
