import type { Server } from 'node:http';

/** How often connections that have become idle meanwhile are closed. */
const IDLE_SWEEP_MS = 50;

/**
 * Stops accepting, lets the calls in flight end, and cuts what still runs after `graceMs`. Resolves when the last connection is
 * gone.
 */
export function stopListener(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
