/** Failures from one address within the window before it must wait; specification section 7. */
const FAILURES_MAX = 10;
const WINDOW_MS = 60_000;
/** A bound on memory. With more addresses at once the oldest windows are dropped first. */
const ADDRESSES_MAX = 10_000;

export interface FailedLogins {
  /** Milliseconds the address must wait; 0 when it may try. */
  waitMs(address: string): number;
  record(address: string): void;
}

/** Counts failed logins by address in windows of a minute, each of which begins with its first failure. */
export function createFailedLogins(now: () => number): FailedLogins {
  const windows = new Map<string, { readonly startedAt: number; failures: number }>();

  function current(address: string) {
    const window = windows.get(address);
    if (window === undefined) return undefined;
    if (now() - window.startedAt < WINDOW_MS) return window;
    windows.delete(address);
    return undefined;
  }

  return {
    waitMs(address) {
      const window = current(address);
      return window === undefined || window.failures < FAILURES_MAX ? 0 : window.startedAt + WINDOW_MS - now();
    },
    record(address) {
      const window = current(address);
      if (window !== undefined) {
        window.failures++;
        return;
      }
      // A map keeps the order of insertion: the first is the oldest.
      const oldest = windows.keys().next();
      if (windows.size >= ADDRESSES_MAX && !oldest.done) windows.delete(oldest.value);
      windows.set(address, { startedAt: now(), failures: 1 });
    },
  };
}
