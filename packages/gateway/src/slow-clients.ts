import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { currentResponse, incompleteRequest, isEnding } from './refuse-connection.ts';
import { connectionsOf } from './stop-listener.ts';

export interface SlowClientOptions {
  /** How long a client may move no byte while one is due from it, or while it takes none of its answer. */
  readonly stallMs: number;
  /** How long what comes between two requests may be anything but a request. */
  readonly headMs: number;
  /** Default 0.5 s. */
  readonly sweepMs?: number | undefined;
  /** Told of a client that owes the rest of a request's body. */
  readonly onStalledBody: (socket: Socket) => void;
}

/** What a connection had moved when it was last seen to move, and when that was. */
interface Progress {
  received: number;
  receivedAt: number;
  sent: number;
  sentAt: number;
  /** Since when bytes come that belong to no request; 0: none has. */
  straySince: number;
}

const SWEEP_MS = 500;

/**
 * Cuts clients that hold a connection and do not move: Node itself keeps time only for a head whose first line has begun and for
 * whole requests. Left to it, somebody who never reads an answer, who sends a body and stops, or who drips empty lines between two
 * requests could stay for ever.
 */
export function watchSlowClients(server: Server, options: SlowClientOptions): void {
  const known = new WeakMap<Socket, Progress>();
  let timer: NodeJS.Timeout | undefined;
  const sweep = () => {
    const now = performance.now();
    for (const socket of connectionsOf(server)) {
      const progress = known.get(socket);
      if (progress === undefined)
        known.set(socket, { received: 0, receivedAt: now, sent: 0, sentAt: now, straySince: 0 });
      else judge(socket, progress, { now, ...options });
    }
  };
  server.on('listening', () => {
    timer = setInterval(sweep, options.sweepMs ?? SWEEP_MS).unref();
  });
  server.on('close', () => clearInterval(timer));
}

function judge(
  socket: Socket,
  progress: Progress,
  { now, stallMs, headMs, onStalledBody }: SlowClientOptions & { now: number },
): void {
  const isAnswering = currentResponse(socket) !== undefined;
  const hasReceived = socket.bytesRead !== progress.received;
  const sent = sentBytes(socket);
  const hasSent = sent !== progress.sent;
  if (hasReceived) progress.receivedAt = now;
  if (hasSent || queuedBytes(socket) === 0) progress.sentAt = now;
  if (hasSent || isAnswering) progress.straySince = 0;
  else if (hasReceived && progress.straySince === 0) progress.straySince = now;
  progress.received = socket.bytesRead;
  progress.sent = sent;

  const isStray = progress.straySince !== 0 && hasReceived && now - progress.straySince >= headMs;
  const isStalledReader = now - progress.sentAt >= stallMs;
  if (isStray || isStalledReader) socket.destroy();
  else if (now - progress.receivedAt >= stallMs && owesBody(socket)) onStalledBody(socket);
}

/** Node tells nowhere else how much of a write the kernel has taken, and whether a connection is being read from. */
interface Handle {
  readonly writeQueueSize?: number;
  readonly reading?: boolean;
}

function handleOf(socket: Socket): Handle | undefined {
  return (socket as { _handle?: Handle | null })._handle ?? undefined;
}

function queuedBytes(socket: Socket): number {
  return socket.writableLength + (handleOf(socket)?.writeQueueSize ?? 0);
}

/** Falls behind by what is queued, so it changes whenever the other side takes something. */
function sentBytes(socket: Socket): number {
  return (socket.bytesWritten ?? 0) - queuedBytes(socket);
}

/** The rest of a body is due, and it is not us who have stopped reading. */
function owesBody(socket: Socket): boolean {
  return !isEnding(socket) && handleOf(socket)?.reading !== false && incompleteRequest(socket) !== undefined;
}
