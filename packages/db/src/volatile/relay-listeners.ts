import { DbError } from '../ports/db-error.ts';
import { type EventRelayListener, RELAYED_LENGTH_MAX } from '../ports/volatile/event-relay.ts';

export interface RelayListeners {
  add(listener: EventRelayListener): () => void;
  tell(message: string): void;
  tellGap(): void;
  size(): number;
}

/** Who listens on this node. One that stops while others are being told is not called any more. */
export function createRelayListeners(): RelayListeners {
  const entries = new Set<{ readonly listener: EventRelayListener }>();

  function each(call: (listener: EventRelayListener) => void): void {
    for (const entry of [...entries]) if (entries.has(entry)) call(entry.listener);
  }

  return {
    add(listener) {
      const entry = { listener };
      entries.add(entry);
      return () => void entries.delete(entry);
    },
    tell: (message) => each((listener) => listener.onMessage(message)),
    tellGap: () => each((listener) => listener.onGap()),
    size: () => entries.size,
  };
}

export function checkRelayed(message: string): void {
  if (message === '' || message.length > RELAYED_LENGTH_MAX)
    throw new DbError('invalid', `a relayed message has 1 to ${RELAYED_LENGTH_MAX} characters`);
}
