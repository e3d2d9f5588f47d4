import { connect } from 'node:net';
import { answerBody } from '../message-bodies.ts';
import { readAnswer } from './read-answer.ts';

/** One keep-alive connection that carries one call at a time. */
export interface Connection {
  /** `startedMs` is handed back with the answer: the time from which the call is measured. */
  send(request: Buffer, startedMs: number): void;
  close(): void;
}

export interface ConnectionEvents {
  /** A good answer: status 200 and as many bytes as the upstream sends. */
  onAnswer(connection: Connection, startedMs: number): void;
  /** Any other answer, or a connection that broke. */
  onFault(fault: string): void;
}

const EXPECTED_BYTES = Buffer.byteLength(answerBody());

/** All connections of an order, each connected. */
export function openConnections(
  { port, connections }: { readonly port: number; readonly connections: number },
  events: ConnectionEvents,
): Promise<Connection[]> {
  return Promise.all(Array.from({ length: connections }, () => openConnection(port, events)));
}

function openConnection(port: number, events: ConnectionEvents): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received: Buffer | undefined;
    let startedMs = 0;
    // Faults before it is connected are the opener's alone.
    let isClosed = true;

    const connection: Connection = {
      send(request, started) {
        startedMs = started;
        socket.write(request);
      },
      close() {
        isClosed = true;
        socket.destroy();
      },
    };

    function onData(chunk: Buffer): void {
      const bytes = received === undefined ? chunk : Buffer.concat([received, chunk]);
      received = bytes;
      const answer = readAnswer(bytes);
      if (answer === undefined) return;
      received = undefined;
      if (answer.status === 200 && answer.bodyBytes === EXPECTED_BYTES) events.onAnswer(connection, startedMs);
      else events.onFault(`status ${answer.status} with ${answer.bodyBytes} bytes`);
    }

    function onGone(why: string): void {
      if (!isClosed) events.onFault(why);
      connection.close();
    }

    socket.once('connect', () => {
      isClosed = false;
      resolve(connection);
    });
    socket.once('error', reject);
    socket.on('error', (error) => onGone(error.message));
    socket.on('end', () => onGone('the connection was closed'));
    socket.on('data', (chunk: Buffer) => {
      try {
        onData(chunk);
      } catch (error) {
        onGone(String(error));
      }
    });
  });
}
