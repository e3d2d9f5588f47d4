import { setImmediate as nextTurn } from 'node:timers/promises';

/** What `setTimeout` and `setInterval` of the fake clock give back; `ref` and `unref` are there for code that calls them. */
export interface FakeTimer {
  ref(): FakeTimer;
  unref(): FakeTimer;
}

export interface FakeClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Moves time on by `ms`, firing each due timer at its own time and letting promises settle after each. */
  advance(ms: number): Promise<void>;
  setTimeout(callback: () => void, delayMs: number): FakeTimer;
  setInterval(callback: () => void, periodMs: number): FakeTimer;
  /** Stops a timer of either kind; unknown or finished timers are left alone. */
  clear(timer: FakeTimer | undefined): void;
  /** Timers that have not fired or been stopped; a test asks this to show that nothing is left behind. */
  readonly pending: number;
}

interface Scheduled extends FakeTimer {
  atMs: number;
  readonly order: number;
  readonly periodMs: number | undefined;
  readonly callback: () => void;
}

/** A clock that stands still until told to move. The functions may be passed on without their object. */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  let order = 0;
  const timers = new Set<Scheduled>();

  function schedule(callback: () => void, delayMs: number, periodMs: number | undefined): FakeTimer {
    const timer: Scheduled = {
      atMs: nowMs + Math.max(0, delayMs),
      order: order++,
      periodMs,
      callback,
      ref: () => timer,
      unref: () => timer,
    };
    timers.add(timer);
    return timer;
  }

  function nextDue(untilMs: number): Scheduled | undefined {
    const due = [...timers].filter((timer) => timer.atMs <= untilMs);
    return due.sort((left, right) => left.atMs - right.atMs || left.order - right.order)[0];
  }

  async function advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError('time only moves forward');
    const untilMs = nowMs + ms;
    await nextTurn();
    for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
      nowMs = timer.atMs;
      if (timer.periodMs === undefined) timers.delete(timer);
      else timer.atMs += timer.periodMs;
      timer.callback();
      await nextTurn();
    }
    nowMs = untilMs;
    await nextTurn();
  }

  return {
    now: () => nowMs,
    advance,
    setTimeout: (callback, delayMs) => schedule(callback, delayMs, undefined),
    // A period of 0 would never let `advance` come to its end.
    setInterval: (callback, periodMs) => schedule(callback, Math.max(1, periodMs), Math.max(1, periodMs)),
    clear: (timer) => void (timer && timers.delete(timer as Scheduled)),
    get pending() {
      return timers.size;
    },
  };
}
