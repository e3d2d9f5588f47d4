import type { Redis } from 'ioredis';
import type { RedisState } from './redis-connection.ts';
import { describeFailure } from './redis-failure.ts';

export interface WatchedClient {
  state(): RedisState;
  lastFailure(): string | undefined;
  onState(listener: (state: RedisState) => void): () => void;
  /** How often it has become ready. */
  connections(): number;
  /** A command failed so. */
  noteFailure(error: unknown): void;
  close(): Promise<void>;
}

/** A server that stands still is noticed by a question asked this often. */
const HEARTBEAT_MS = 1_000;
/** One that does not answer for so long is left, and connected to anew. */
const UNRESPONSIVE_MS_MAX = 1_500;
const TIMED_OUT = 'Command timed out'; // The client's words for a command that was not answered in time.

/** Follows what one client's connection does, by its events, by what its commands say, and by a heartbeat. */
export function watchClient(client: Redis, secrets: readonly (string | undefined)[]): WatchedClient {
  const listeners = new Set<(state: RedisState) => void>();
  let state: RedisState = 'connecting';
  /** Since it was last ready, and before. */
  let failure: string | undefined;
  let formerFailure: string | undefined;
  let connections = 0;
  let leaving: NodeJS.Timeout | undefined;
  const heartbeat = setInterval(ask, HEARTBEAT_MS).unref();

  function enter(next: RedisState): void {
    if (state === next || state === 'closed') return;
    state = next;
    if (next !== 'unresponsive') clearTimeout(leaving);
    for (const listener of [...listeners]) listener(next);
  }

  function ask(): void {
    if (state === 'ready') client.ping().catch(noteFailure);
  }

  function noteFailure(error: unknown): void {
    failure = describeFailure(error, secrets);
    if (state !== 'ready' || !isTimeout(error)) return;
    leaving = setTimeout(() => client.disconnect(true), UNRESPONSIVE_MS_MAX).unref();
    enter('unresponsive');
    askAgain();
  }

  /** Answers come in order, so the first one to this says that all before were given. */
  function askAgain(): void {
    client.ping().then(
      () => enter('ready'),
      (error) => {
        // Any other failure comes at once, and tells that the connection is being left.
        if (state === 'unresponsive' && isTimeout(error)) askAgain();
      },
    );
  }

  client.on('error', (error) => {
    failure = describeFailure(error, secrets);
  });
  client.on('ready', () => {
    connections += 1;
    [formerFailure, failure] = [failure ?? formerFailure, undefined];
    enter('ready');
  });
  client.on('close', () => {
    failure ??= 'the connection was closed';
    enter('connecting');
  });

  return {
    state: () => state,
    lastFailure: () => failure ?? formerFailure,
    onState(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    connections: () => connections,
    noteFailure,
    async close() {
      clearInterval(heartbeat);
      clearTimeout(leaving);
      enter('closed');
      listeners.clear();
      await endClient(client);
    },
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === TIMED_OUT;
}

/** Ends it at once; the client says `end` only when there was a connection to end. */
function endClient(client: Redis): Promise<void> {
  return new Promise((resolve) => {
    if (client.status === 'end' || client.status === 'reconnecting') {
      client.disconnect();
      resolve();
      return;
    }
    client.once('end', () => resolve());
    client.disconnect();
  });
}
