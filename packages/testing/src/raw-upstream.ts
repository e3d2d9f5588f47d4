import { createServer, type Socket } from 'node:net';
import { listenOnAnyPort, trackSockets, urlHost } from './listen.ts';

export interface RawUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Connections accepted since the start. */
  readonly connections: number;
  /** The bytes each connection has sent so far, one element a connection, in order of arrival. */
  readonly received: readonly Uint8Array[];
  /** Cuts all connections and frees the port. May be called twice. */
  close(): Promise<void>;
}

/**
 * A TCP server for faults that no HTTP server can be made to show: half a head, a reset, silence, two lengths.
 * `onConnection` owns the socket; its errors are swallowed, for a broken connection is what such a test is about.
 */
export async function startRawUpstream(
  onConnection: (socket: Socket) => void | Promise<void>,
  host = '127.0.0.1',
): Promise<RawUpstream> {
  const chunksOf: Buffer[][] = [];
  const server = createServer((socket) => {
    const chunks: Buffer[] = [];
    chunksOf.push(chunks);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => {});
    Promise.resolve(onConnection(socket)).catch(() => socket.destroy());
  });
  const sockets = trackSockets(server);
  const port = await listenOnAnyPort(server, host);
  return {
    url: `http://${urlHost(host)}:${port}`,
    port,
    get connections() {
      return sockets.accepted();
    },
    get received() {
      return chunksOf.map((chunks) => new Uint8Array(Buffer.concat(chunks)));
    },
    close: sockets.closeAll,
    [Symbol.asyncDispose]: sockets.closeAll,
  };
}

/** The text of the next request head on `socket`, up to and with its empty line; what follows it in the same packet is not given. */
export function readRequestHead(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onClose = () => reject(new Error('the connection closed before a whole request head'));
    const onData = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve(text.slice(0, end + 4));
    };
    socket.on('data', onData);
    socket.once('close', onClose);
  });
}
