import { connect, createServer, type Socket } from 'node:net';

/** A TCP door whose other side can change: what a DNS name or an operator's proxy is to a server that moves. */
export interface MovingProxy extends AsyncDisposable {
  readonly port: number;
  /** Later connections lead to this port; those that are open stay as they are. */
  moveTo(port: number): void;
}

export async function startMovingProxy(target: number): Promise<MovingProxy> {
  let port = target;
  const open = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    port: address.port,
    moveTo(next) {
      port = next;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
