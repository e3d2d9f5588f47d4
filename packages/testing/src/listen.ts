import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Listens on a port of the system's choice and gives it back; rejects when the address cannot be bound. */
export async function listenOnAnyPort(server: Server, host: string): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Keeps the open sockets of `server`, so that `closeAll` can end it whatever its clients do. */
export function trackSockets(server: Server): {
  open: Set<Socket>;
  accepted: () => number;
  closeAll: () => Promise<void>;
} {
  const open = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });

  async function closeAll(): Promise<void> {
    for (const socket of open) socket.destroy();
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  return { open, accepted: () => accepted, closeAll };
}

/** `host` as it stands in a URL: IPv6 addresses in brackets. */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
