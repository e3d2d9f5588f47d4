/** How often a decision is looked for that was made by another process. */
const POLL_MS = 1_000;

/**
 * Calls that wait for a person's decision. Word from the control plane of this process wakes them at once; that of others is found
 * within a second.
 */
export class ApprovalWatch {
  readonly #waiting = new Map<string, Set<() => void>>();
  #news = 0;

  /** How much news there was so far, of all approvals. */
  get news(): number {
    return this.#news;
  }

  /** Something has become of the approval. */
  notify(approvalId: string): void {
    this.#news += 1;
    for (const wake of this.#waiting.get(approvalId) ?? []) wake();
  }

  /** How many calls wait. */
  get size(): number {
    let count = 0;
    for (const waiting of this.#waiting.values()) count += waiting.size;
    return count;
  }

  /**
   * Resolves with word of a change, after `waitMs` at most a second, or when `signal` is aborted; at once when there was any news after
   * `since`, which is to be taken before the approval is read. Never rejects.
   */
  next(approvalId: string, waitMs: number, { signal, since }: { signal: AbortSignal; since: number }): Promise<void> {
    if (since !== this.#news) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        const waiting = this.#waiting.get(approvalId);
        waiting?.delete(wake);
        if (waiting?.size === 0) this.#waiting.delete(approvalId);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, Math.min(waitMs, POLL_MS)));
      const waiting = this.#waiting.get(approvalId);
      if (waiting === undefined) this.#waiting.set(approvalId, new Set([wake]));
      else waiting.add(wake);
      if (signal.aborted) wake();
      else signal.addEventListener('abort', wake);
    });
  }
}
