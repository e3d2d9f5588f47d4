import type { Redis } from 'ioredis';
import type { ChannelListener, Subscription } from './redis-connection.ts';
import { type WatchedClient, watchClient } from './watch-client.ts';

export interface Channels {
  subscribe(channel: string, listener: ChannelListener): Subscription;
  close(): Promise<void>;
}

interface Open {
  readonly client: Redis;
  readonly watch: WatchedClient;
  /** Channels that messages come from at present. */
  readonly live: Set<string>;
}

/** Subscriptions, over a connection of their own: opened with the first, closed with the last. */
export function openChannels(open: () => Redis, secrets: readonly (string | undefined)[]): Channels {
  const listeners = new Map<string, Set<ChannelListener>>();
  let opened: Open | undefined;
  let closing: Promise<void> = Promise.resolve();
  let isClosed = false;

  function openClient(): Open {
    const client = open();
    const watch = watchClient(client, secrets);
    const made: Open = { client, watch, live: new Set() };
    client.on('message', (channel: string, message: string) => {
      if (opened === made) tell(listeners.get(channel), (listener) => listener.onMessage(message));
    });
    watch.onState((state) => {
      if (opened !== made) return;
      if (state !== 'ready') lose(made);
      else for (const channel of listeners.keys()) join(made, channel);
    });
    return made;
  }

  function lose({ live }: Open): void {
    const lost = [...live];
    live.clear();
    for (const channel of lost) tell(listeners.get(channel), (listener) => listener.onGap(false));
  }

  /** A subscription that is asked for is answered before any command after it, so no state in between is seen as live. */
  function join(made: Open, channel: string): void {
    if (made.watch.state() !== 'ready') return;
    made.client.subscribe(channel).then(
      () => {
        if (opened !== made || !listeners.has(channel) || made.watch.state() !== 'ready') return;
        made.live.add(channel);
        tell(listeners.get(channel), (listener) => listener.onGap(true));
      },
      (error) => {
        made.watch.noteFailure(error);
        // A connection without its subscriptions is of no use: the next one tries again.
        if (opened === made && made.watch.state() === 'ready') made.client.disconnect(true);
      },
    );
  }

  function leave(channel: string, listener: ChannelListener): void {
    const joined = listeners.get(channel);
    if (!joined?.delete(listener) || joined.size > 0) return;
    listeners.delete(channel);
    opened?.live.delete(channel);
    if (listeners.size === 0) {
      closing = closeClient();
      return;
    }
    opened?.client.unsubscribe(channel).catch(() => undefined); // Its connection is gone, and the subscription with it.
  }

  async function closeClient(): Promise<void> {
    const ended = opened;
    opened = undefined;
    await Promise.all([closing, ended?.watch.close()]);
  }

  return {
    subscribe(channel, listener) {
      const joined = listeners.get(channel) ?? new Set();
      const isFirst = joined.size === 0;
      joined.add(listener);
      listeners.set(channel, joined);
      if (isClosed) return { isLive: () => false, end: () => undefined };
      opened ??= openClient();
      if (isFirst) join(opened, channel);
      return {
        isLive: () => opened?.live.has(channel) === true && joined.has(listener),
        end: () => leave(channel, listener),
      };
    },
    async close() {
      isClosed = true;
      listeners.clear();
      await closeClient();
    },
  };
}

/** One that ends while others are told is not called any more. */
function tell(listeners: ReadonlySet<ChannelListener> | undefined, call: (listener: ChannelListener) => void): void {
  for (const listener of [...(listeners ?? [])]) if (listeners?.has(listener)) call(listener);
}
