export interface EventRelayListener {
  /** In the order in which one publisher published; not for its own node alone, but for that one too. Must not throw. */
  onMessage(message: string): void;
  /** Messages may have been missed. Must not throw. */
  onGap(): void;
}

/** Carries what nodes tell each other's watchers, at most once and to whoever listens at the time. It is no record. */
export interface EventRelayPort {
  /** At most `RELAYED_LENGTH_MAX` characters. Fails `unavailable`; then nobody, or anybody, has heard of it. */
  publish(message: string): Promise<void>;
  /** The function given back ends it: once it has returned, the listener is not called again. May be called twice. */
  listen(listener: EventRelayListener): () => void;
}

export const RELAYED_LENGTH_MAX = 65_536;
