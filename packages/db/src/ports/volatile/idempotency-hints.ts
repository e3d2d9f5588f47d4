import type { ExecutionScope } from './execution-locks.ts';

/** What never changes about a key that is in use. */
export interface IdempotencyHint {
  /** Id of the claim. */
  readonly claim: string;
  /** Of the request that the key was first used for. */
  readonly fingerprint: string;
}

/** Tells where to look first. A hint is never an answer: the claim it names is read, and its absence says nothing. */
export interface IdempotencyHintsPort {
  /**
   * Keeps the hint for `ttlSeconds` (60..86,400) unless there is one; false when there was. Atomic. Fails `unavailable`, which the caller
   * may pass over.
   */
  remember(scope: ExecutionScope, hint: IdempotencyHint, ttlSeconds: number): Promise<boolean>;
  /** Undefined when there is none, and when what is kept is no hint. Fails `unavailable`. */
  find(scope: ExecutionScope): Promise<IdempotencyHint | undefined>;
  /** Fails `unavailable`; then it ends by itself. */
  forget(scope: ExecutionScope): Promise<void>;
}

/** Seconds. */
export const IDEMPOTENCY_HINT_RANGE = { min: 60, max: 86_400 } as const;
