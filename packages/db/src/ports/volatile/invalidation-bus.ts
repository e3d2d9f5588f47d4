export const INVALIDATION_TOPICS = ['policy', 'templates', 'directory', 'secrets', 'sessions', 'agents'] as const;
export type InvalidationTopic = (typeof INVALIDATION_TOPICS)[number];

/** Something of a tenant has changed. */
export interface Invalidation {
  readonly topic: InvalidationTopic;
  /** `*`: of all tenants. */
  readonly tenant: string;
  /** Name or id of what has changed; absent: anything of the topic. At most 512 characters. */
  readonly subject?: string | undefined;
}

export interface InvalidationListener {
  /** Called in the order in which one publisher published; not for its own node alone, but for that one too. Must not throw. */
  onInvalidation(invalidation: Invalidation): void;
  /**
   * Anything may have been missed: empty the caches. Called when the subscription is lost (after 2 s at the latest, when the store
   * only stands still), and again when it stands anew, for what was published in between. Must not throw.
   */
  onLost(): void;
}

/**
 * A nudge that makes nodes look sooner, delivered at most once. What must arrive is in the outbox and in the directory's revision,
 * which every node polls.
 */
export interface InvalidationBusPort {
  /** Resolves when it is on its way to all who are subscribed now. Fails `unavailable`; then nobody, or anybody, has heard of it. */
  publish(invalidation: Invalidation): Promise<void>;
  /**
   * Hears of these topics from now on, as soon as `isLive()`. The function given back ends that at once: once it has returned, the
   * listener is not called again. May be called twice.
   */
  subscribe(topics: readonly InvalidationTopic[], listener: InvalidationListener): () => void;
  /** Whether what is published now would be heard here. False without subscribers, and from a loss until all stands anew. */
  isLive(): boolean;
}
