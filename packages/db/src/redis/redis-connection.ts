/**
 *   connecting → ready → unresponsive → ready | connecting;   any → closed
 *
 * `unresponsive`: connected, and a command was not answered in time. Until one is, all fail at once.
 */
export type RedisState = 'connecting' | 'ready' | 'unresponsive' | 'closed';

/** A script with its SHA-1, by which Redis knows it. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

export interface ChannelListener {
  onMessage(message: string): void;
  /** Messages may have been missed; `isLive`: from now on they come again. */
  onGap(isLive: boolean): void;
}

export interface Subscription {
  isLive(): boolean;
  /** No call of the listener once it has returned. */
  end(): void;
}

/**
 * A connection to one Redis that is kept for ever. Commands fail with `DbError` `unavailable`, within the command's time and at once while
 * it is not `ready`; nothing waits for a connection and nothing is sent twice. A command that failed may have happened, or happen later.
 */
export interface RedisConnection extends AsyncDisposable {
  /** What the stores' keys begin with. */
  readonly prefix: string;
  /** At most a second and a command's time old, also when nothing is asked. */
  state(): RedisState;
  /** Why it is not ready, or was not when it last was not; without secrets. */
  lastFailure(): string | undefined;
  /** Calls `listener` at each change; the function given back ends that. */
  onState(listener: (state: RedisState) => void): () => void;
  /** Since the beginning. */
  counts(): { readonly failedCommands: number; readonly connections: number };
  command(name: string, ...parameters: readonly (string | number)[]): Promise<unknown>;
  /** One round trip when Redis knows the script, as it does after the first time. */
  run(script: RedisScript, keys: readonly string[], parameters: readonly (string | number)[]): Promise<unknown>;
  /** Over a second connection, which is there as long as one subscribes. */
  subscribe(channel: string, listener: ChannelListener): Subscription;
  /** Ends both connections at once; what is under way fails. May be called twice. */
  close(): Promise<void>;
}
