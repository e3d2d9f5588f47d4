interface Waiting {
  readonly endMs: number;
  /** Nothing once it is answered. */
  reject: ((error: Error) => void) | undefined;
}

const FORGOTTEN_AT_ONCE = 32;

/**
 * Bounds waits that are all as long as each other: they end in the order in which they began, so one timer does for all of them. A wait
 * rejects once `timeoutMs` are over; but an answer that has arrived by then and was not read yet, because this thread was busy, counts.
 */
export function createDeadlines(timeoutMs: number): <T>(asked: T | Promise<T>) => Promise<T> {
  let queue: Waiting[] = [];
  /** The waits before this place of the queue are answered. */
  let answered = 0;
  let isTimed = false;

  function startTimer(first: Waiting): void {
    isTimed = true;
    setTimeout(() => setImmediate(endWaits), Math.max(1, first.endMs - performance.now())).unref();
  }

  function endWaits(): void {
    const nowMs = performance.now();
    const left = queue.findIndex(({ endMs, reject }) => endMs > nowMs && reject !== undefined);
    const over = left === -1 ? queue : queue.slice(0, left);
    queue = left === -1 ? [] : queue.slice(left);
    answered = 0;
    isTimed = false;
    if (queue[0] !== undefined) startTimer(queue[0]);
    for (const { reject } of over) reject?.(new Error(`no answer within ${timeoutMs} ms`));
  }

  /** Waits end about as they began. What is kept until its time is over would outlive the young heap, for each call. */
  function forgetAnswered(): void {
    while (answered < queue.length && queue[answered]?.reject === undefined) answered += 1;
    if (answered < FORGOTTEN_AT_ONCE) return;
    queue.splice(0, answered);
    answered = 0;
  }

  return (asked) => {
    if (!(asked instanceof Promise)) return Promise.resolve(asked);
    return new Promise((resolve, reject) => {
      const wait: Waiting = { endMs: performance.now() + timeoutMs, reject };
      queue.push(wait);
      if (!isTimed) startTimer(wait);
      const end = () => {
        wait.reject = undefined;
        forgetAnswered();
      };
      asked.then(
        (answer) => {
          end();
          resolve(answer);
        },
        (error) => {
          end();
          reject(error);
        },
      );
    });
  };
}
