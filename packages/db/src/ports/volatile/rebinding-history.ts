/** A name whose addresses changed from one resolution to the next. */
export interface RebindingRecord {
  /** Milliseconds since the epoch. */
  readonly observedAtMs: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Whether the new answer has an address of a class that the old one had not. */
  readonly hasNewClass: boolean;
}

/** Observations of 24 hours, at most 100 of a host: the newest. For people; nothing is judged by it. */
export interface RebindingHistoryPort {
  /** Atomic. Fails `unavailable`: then it is not kept. */
  append(tenant: string, host: string, observation: RebindingRecord): Promise<void>;
  /** Of the last 24 hours, oldest first. Fails `unavailable`. */
  list(tenant: string, host: string): Promise<readonly RebindingRecord[]>;
}

export const REBINDING_KEPT_MS = 86_400_000;
export const REBINDINGS_PER_HOST_MAX = 100;
