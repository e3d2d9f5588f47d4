/** What waits for a deadline; told the time (`performance.now()`) at which it had passed. */
export interface DeadlineOwner {
  onDeadline(nowMs: number): void;
}

/**
 * One timer for a whole exchange. Phases mostly move the deadline back, which here only writes a number: the timer that fires
 * too early arms itself again for the rest. Only a deadline before the armed one costs a new timer.
 *
 * Timers run before sockets are read. After something has kept the event loop busy, a timer fires whose cause lies in a socket's
 * buffer all the while: so its owner is told only after what had arrived was read, and if that has not moved the deadline.
 */
export class Deadline {
  readonly #owner: DeadlineOwner;
  #timer: NodeJS.Timeout | undefined;
  #lastLook: NodeJS.Immediate | undefined;
  #at = 0;
  #firesAt = 0;

  constructor(owner: DeadlineOwner) {
    this.#owner = owner;
  }

  set(atMs: number, nowMs: number): void {
    this.#at = atMs;
    if (this.#lastLook !== undefined || (this.#timer !== undefined && atMs >= this.#firesAt)) return;
    clearTimeout(this.#timer);
    this.#arm(nowMs);
  }

  /** As `set`, for a deadline that is known not to lie before the present one. */
  move(atMs: number): void {
    this.#at = atMs;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lastLook === undefined) return;
    clearImmediate(this.#lastLook);
    this.#lastLook = undefined;
  }

  /** For the timer alone. */
  fire(): void {
    this.#timer = undefined;
    const now = performance.now();
    // A timer may fire a fraction of a millisecond early.
    if (now + 1 >= this.#at) this.#lastLook = setImmediate(lookAgain, this);
    else this.#arm(now);
  }

  /** For the immediate alone, which runs once the sockets have been read. */
  lookAgain(): void {
    this.#lastLook = undefined;
    const now = performance.now();
    if (now + 1 >= this.#at) this.#owner.onDeadline(now);
    else this.#arm(now);
  }

  #arm(nowMs: number): void {
    this.#firesAt = this.#at;
    this.#timer = setTimeout(fireDeadline, Math.min(Math.max(this.#at - nowMs, 1), TIMER_MS_MAX), this);
  }
}

/** Longer ones Node fires at once. */
const TIMER_MS_MAX = 2_147_483_647;

function fireDeadline(deadline: Deadline): void {
  deadline.fire();
}

function lookAgain(deadline: Deadline): void {
  deadline.lookAgain();
}
