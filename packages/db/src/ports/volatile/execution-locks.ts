/** What one execution is about. */
export interface ExecutionScope {
  readonly tenant: string;
  readonly workload: string;
  readonly integration: string;
  /** What the key is unique within, such as the action. */
  readonly group: string;
  readonly key: string;
}

/** Keeps equal executions from being prepared at once. At most one dispatch is not this lock's promise but the claim's. */
export interface ExecutionLocksPort {
  /**
   * The owner's token when it was free, for `ttlSeconds` (1..60); undefined when another has it. Atomic. Fails `unavailable`; then it
   * may be taken by nobody until its time is over.
   */
  acquire(scope: ExecutionScope, ttlSeconds: number): Promise<string | undefined>;
  /** Frees it; false when it had ended or is another's, which stays untouched. Atomic. After `unavailable` it ends by itself. */
  release(scope: ExecutionScope, owner: string): Promise<boolean>;
}

/** Seconds. */
export const EXECUTION_LOCK_RANGE = { min: 1, max: 60 } as const;
