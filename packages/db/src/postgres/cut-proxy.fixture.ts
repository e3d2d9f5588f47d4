import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What becomes of the first message of a client that holds a text, and of its connection. */
export type Cut =
  /** It never reaches the server, which learns at once that the connection is gone. */
  | 'lost'
  /** The server gets it and answers; the answer is lost. */
  | 'unanswered'
  /** It reaches the server when `deliver` is called, long after the client is gone. */
  | 'late'
  /** It never reaches the server, which still believes that the client is there, with all locks that it has. */
  | 'lost and held';

export interface CutProxy {
  /** The URL given, by way of the proxy. */
  readonly url: string;
  /** At the next message with that text; resolves when it is done. */
  cutAt(text: string, cut: Cut): Promise<void>;
  /** From here on no connection is let through, and all that are there are cut. */
  close(): void;
  open(): void;
  /** What is late comes; resolves when the server has done it, or has ended the connection. */
  deliver(): Promise<void>;
  /** Ends connections that were held. */
  letGo(): void;
  end(): Promise<void>;
}

interface Site {
  isOpen: boolean;
  waiting: { readonly text: string; readonly cut: Cut; readonly done: () => void } | undefined;
  readonly target: URL;
  readonly sockets: Set<Socket>;
  readonly held: Set<Socket>;
  late: (() => Promise<void>) | undefined;
}

/** A way to a server that can be cut where it hurts. */
export async function startCutProxy(serverUrl: string): Promise<CutProxy> {
  const site: Site = {
    isOpen: true,
    waiting: undefined,
    target: new URL(serverUrl),
    sockets: new Set(),
    held: new Set(),
    late: undefined,
  };
  const listener = createServer((client) => {
    if (site.isOpen) join(client, site);
    else client.destroy();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const url = new URL(serverUrl);
  url.port = String((listener.address() as AddressInfo).port);
  return {
    url: url.href,
    cutAt: (text, cut) =>
      new Promise((done) => {
        site.waiting = { text, cut, done };
      }),
    close() {
      site.isOpen = false;
      for (const socket of site.sockets) socket.destroy();
    },
    open() {
      site.isOpen = true;
    },
    deliver: async () => site.late?.(),
    letGo() {
      for (const socket of site.held) socket.destroy();
      site.held.clear();
    },
    async end() {
      for (const socket of [...site.sockets, ...site.held]) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

function join(client: Socket, site: Site): void {
  const server = connect(Number(site.target.port), site.target.hostname);
  const pairs = [
    [client, server],
    [server, client],
  ] as const;
  for (const [socket, other] of pairs) {
    site.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      site.sockets.delete(socket);
      if (!site.held.has(other)) other.destroy();
    });
  }
  let isCut = false;
  server.on('data', (data) => {
    if (!isCut) client.write(data);
  });
  client.on('data', (data) => {
    if (site.waiting === undefined || !data.includes(site.waiting.text)) {
      server.write(data);
      return;
    }
    const { cut, done } = site.waiting;
    site.waiting = undefined;
    isCut = true;
    const cutClient = () => {
      client.destroy();
      done();
    };
    if (cut === 'lost and held' || cut === 'late') site.held.add(server);
    if (cut === 'late') {
      site.late = async () => {
        if (server.destroyed) return;
        const answered = new Promise((resolve) => server.once('data', resolve).once('close', resolve));
        server.write(data);
        await answered;
      };
    }
    if (cut !== 'unanswered') return cutClient();
    server.once('data', cutClient);
    server.write(data);
  });
}
