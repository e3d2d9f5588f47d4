/**
 * How many calls were let through in the last window, as a counter for one rate limit. Time is cut into grains of a thousandth of the
 * window; the calls of one grain are counted together and leave the window together, when the last of them would. So never more than
 * `requests` pass in any window, and a call may be refused a thousandth of the window too long.
 *
 * Time only moves forward here: a clock that goes back is taken to stand still, which refuses longer and never shorter. The state is
 * plain JSON data; whoever keeps it makes sure that no two calls change it at once.
 */
export interface WindowState {
  /** The latest time seen, in milliseconds. */
  now: number;
  /** Start of each grain with calls, in milliseconds, ascending. */
  readonly starts: number[];
  /** Calls of the grain at the same place. */
  readonly counts: number[];
  /** Calls of all grains. */
  sum: number;
}

export interface Window {
  readonly requests: number;
  readonly perSeconds: number;
}

/** What a window says of one more call. */
export interface WindowVerdict {
  readonly isAllowed: boolean;
  /** What the window took the time for, in milliseconds: later than asked where the clock went back. */
  readonly atMs: number;
  /** Calls that still pass now, after this one when it was spent. */
  readonly remaining: number;
  /** Seconds until a refused call would pass, at least 1; 0 when allowed. */
  readonly retryAfterSeconds: number;
  /** Seconds until more is left than now; the whole window when nothing is spent. */
  readonly resetSeconds: number;
}

const GRAINS = 1000;

export function createWindow(): WindowState {
  return { now: 0, starts: [], counts: [], sum: 0 };
}

/** What the window says of a call at `nowMs`, without spending it. */
export function judgeWindow(state: WindowState, window: Window, nowMs: number): WindowVerdict {
  const spent = advance(state, window, nowMs);
  const remaining = Math.max(0, window.requests - spent);
  return verdict(state, window, remaining > 0, remaining);
}

/** Spends a call when one is left. */
export function spendWindow(state: WindowState, window: Window, nowMs: number): WindowVerdict {
  const spent = advance(state, window, nowMs);
  if (spent >= window.requests) return verdict(state, window, false, 0);
  const start = grainStart(window, state.now);
  const last = state.starts.length - 1;
  if (state.starts[last] === start) state.counts[last] = (state.counts[last] ?? 0) + 1;
  else {
    state.starts.push(start);
    state.counts.push(1);
  }
  state.sum += 1;
  return verdict(state, window, true, window.requests - spent - 1);
}

/** Gives back a call that provably was never sent; `atMs` is of the verdict that spent it. Nothing once it has left the window. */
export function giveBack(state: WindowState, window: Window, atMs: number): void {
  const place = state.starts.indexOf(grainStart(window, atMs));
  if (place === -1) return;
  state.sum -= 1;
  const left = (state.counts[place] ?? 0) - 1;
  if (left > 0) state.counts[place] = left;
  else {
    state.starts.splice(place, 1);
    state.counts.splice(place, 1);
  }
}

/** Spends a call in all windows, or in none when one refuses. The verdicts stand in the order of the windows. */
export function spendWindows(
  windows: readonly { readonly state: WindowState; readonly window: Window }[],
  nowMs: number,
): readonly WindowVerdict[] {
  const verdicts = windows.map(({ state, window }) => judgeWindow(state, window, nowMs));
  if (verdicts.some(({ isAllowed }) => !isAllowed)) return verdicts;
  return windows.map(({ state, window }) => spendWindow(state, window, nowMs));
}

/** Moves time forward, forgets what has left the window, and answers how many calls are in it. */
function advance(state: WindowState, window: Window, nowMs: number): number {
  if (Number.isFinite(nowMs)) state.now = Math.max(state.now, Math.floor(nowMs));
  let gone = 0;
  while (gone < state.starts.length && leavesAt(state, window, gone) <= state.now) {
    state.sum -= state.counts[gone] ?? 0;
    gone += 1;
  }
  if (gone > 0) {
    state.starts.splice(0, gone);
    state.counts.splice(0, gone);
  }
  return state.sum;
}

/** When the last call that the grain can hold is a whole window old. */
function leavesAt(state: WindowState, window: Window, place: number): number {
  return (state.starts[place] ?? 0) + grainMs(window) - 1 + window.perSeconds * 1000;
}

function grainStart(window: Window, nowMs: number): number {
  const grain = grainMs(window);
  return Math.floor(nowMs / grain) * grain;
}

/** At least a millisecond, so that short windows are exact. */
function grainMs({ perSeconds }: Window): number {
  return Math.max(1, Math.floor((perSeconds * 1000) / GRAINS));
}

function verdict(state: WindowState, window: Window, isAllowed: boolean, remaining: number): WindowVerdict {
  const untilNext = state.starts.length === 0 ? window.perSeconds * 1000 : leavesAt(state, window, 0) - state.now;
  const resetSeconds = Math.max(1, Math.ceil(untilNext / 1000));
  return { isAllowed, atMs: state.now, remaining, retryAfterSeconds: isAllowed ? 0 : resetSeconds, resetSeconds };
}
