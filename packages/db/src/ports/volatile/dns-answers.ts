import type { PutOutcome } from './put-outcome.ts';

export interface DnsAnswerRecord {
  /** As resolved, 1 to 64; whoever uses them judges each anew. */
  readonly addresses: readonly string[];
  /** Milliseconds since the epoch, by the resolving node. */
  readonly resolvedAtMs: number;
}

/** Answers of names, shared by the nodes. */
export interface DnsAnswersPort {
  /** With how many milliseconds it may still be used; undefined when there is none. Fails `unavailable`: resolve. */
  get(tenant: string, host: string): Promise<(DnsAnswerRecord & { readonly usableMs: number }) | undefined>;
  /**
   * Keeps an answer for `ttlSeconds` (1..60). `skipped_stale` when one that was resolved later is kept. Atomic. Fails `unavailable`.
   */
  put(tenant: string, host: string, answer: DnsAnswerRecord & { readonly ttlSeconds: number }): Promise<PutOutcome>;
}

/** Seconds (SPEC section 11). */
export const DNS_TTL_RANGE = { min: 1, max: 60 } as const;
export const DNS_ADDRESSES_MAX = 64;
