import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections that have become idle meanwhile are closed. */
const IDLE_SWEEP_MS = 50;

const tracked = new WeakMap<Server, Set<Socket>>();

/** Notes the connections of a server, from before it listens: Node itself tells only of those that have sent something. */
export function trackConnections(server: Server): void {
  const connections = new Set<Socket>();
  tracked.set(server, connections);
  const track = (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  };
  // With TLS the sockets that carry HTTP are those above; the ones below close with them.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', track);
}

/**
 * Stops accepting, closes connections on which no call runs (also those that never sent a whole head), lets the calls in flight
 * end, and cuts what still runs after `graceMs`. Resolves when the last connection is gone.
 */
export function stopListener(server: Server, graceMs: number): Promise<void> {
  const connections = tracked.get(server) ?? new Set();
  return new Promise((resolve) => {
    const closeIdle = () => {
      for (const socket of connections) if (isIdle(socket)) socket.destroy();
    };
    const sweep = setInterval(closeIdle, IDLE_SWEEP_MS);
    const cut = setTimeout(() => {
      for (const socket of connections) socket.destroy();
      server.closeAllConnections();
    }, graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    closeIdle();
  });
}

/** No response is under way. Node gives no other way to ask than its own `_httpMessage`, the response whose turn it is. */
function isIdle(socket: Socket): boolean {
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null };
  return response == null || response.writableFinished;
}
