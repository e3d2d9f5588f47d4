import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections that have become idle meanwhile are closed. */
const IDLE_SWEEP_MS = 50;

interface Tracked {
  /** The sockets that carry HTTP. */
  readonly connections: Set<Socket>;
  /** With TLS: sockets on which none of those stands yet. */
  readonly shakingHands: Set<Socket>;
}

const tracked = new WeakMap<Server, Tracked>();

/** Notes the connections of a server, from before it listens: Node itself tells only of those that have sent something. */
export function trackConnections(server: Server): void {
  const connections = new Set<Socket>();
  const shakingHands = new Set<Socket>();
  tracked.set(server, { connections, shakingHands });
  if (!('setSecureContext' in server)) {
    server.on('connection', (socket: Socket) => note(connections, socket));
    return;
  }
  server.on('connection', (socket: Socket) => note(shakingHands, socket));
  server.on('secureConnection', (socket: Socket) => {
    note(connections, socket);
    const { _parent: below } = socket as { _parent?: Socket };
    if (below !== undefined) shakingHands.delete(below);
  });
}

function note(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** The sockets that carry HTTP now. */
export function connectionsOf(server: Server): ReadonlySet<Socket> {
  return tracked.get(server)?.connections ?? NO_SOCKETS;
}

const NO_SOCKETS: ReadonlySet<Socket> = new Set();

/**
 * Stops accepting, closes connections on which no call runs (also those that never sent a whole head), lets the calls in flight
 * end, and cuts what still runs after `graceMs`. Resolves when the last connection is gone.
 */
export function stopListener(server: Server, graceMs: number): Promise<void> {
  const { connections, shakingHands } = tracked.get(server) ?? { connections: NO_SOCKETS, shakingHands: NO_SOCKETS };
  return new Promise((resolve) => {
    const closeIdle = () => {
      for (const socket of connections) if (isIdle(socket)) socket.destroy();
      for (const socket of shakingHands) socket.destroy();
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
