import type { AppliedCredential } from '@postern/credentials';

/** Two clocks: the monotonic one does not jump, the other does not stop while the machine sleeps. */
export interface Clocks {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
}

export interface MintClocks extends Clocks {
  /** 0 up to 1; spreads renewals and waits. */
  readonly random: () => number;
}

export interface MintedToken {
  readonly applied: AppliedCredential;
  readonly lifetimeMs: number;
  /** When it was asked for, by the monotonic clock: from then on its lifetime counts. */
  readonly askedClock: number;
}

/** Below the end a token is not begun with: the call must still arrive. */
const LEEWAY_MS_MAX = 10_000;
const LEEWAY_SHARE = 0.1;
/** How long before its end a token is renewed while it still serves. */
const AHEAD_MS_MAX = 300_000;
const AHEAD_SHARE = 0.25;

/** How long a token of this lifetime may be sent, from when it was asked for. */
export function usableMs(lifetimeMs: number): number {
  return lifetimeMs - Math.min(LEEWAY_MS_MAX, lifetimeMs * LEEWAY_SHARE);
}

/**
 * A minted token and its end. It is over when either clock says so: a clock that jumps forward ends it early, which costs one request, and one
 * that jumps back does not lengthen it.
 */
export class HeldToken {
  readonly applied: AppliedCredential;
  /** Of the monotonic clock. */
  readonly mintedAtMs: number;
  readonly #clocks: Clocks;
  readonly #judge: (token: HeldToken, status: number) => void;
  readonly #endsAt: number;
  readonly #endsClock: number;
  readonly #renewClock: number;

  /** `judge` hears what upstreams answer to calls that carry the token. */
  constructor(
    { applied, lifetimeMs, askedClock }: MintedToken,
    clocks: MintClocks,
    judge: (token: HeldToken, status: number) => void,
  ) {
    const servesMs = usableMs(lifetimeMs);
    const aheadMs = Math.min(AHEAD_MS_MAX, servesMs * AHEAD_SHARE) * (0.5 + clocks.random() / 2);
    this.applied = applied;
    this.#clocks = clocks;
    this.#judge = judge;
    this.mintedAtMs = clocks.clock();
    this.#endsClock = askedClock + servesMs;
    this.#renewClock = this.#endsClock - aheadMs;
    this.#endsAt = clocks.now() + servesMs - (this.mintedAtMs - askedClock);
  }

  /** How long it may still be sent; 0 or less: it must not. */
  get leftMs(): number {
    return Math.min(this.#endsClock - this.#clocks.clock(), this.#endsAt - this.#clocks.now());
  }

  /** Whether it should be renewed while it still serves. */
  get isDue(): boolean {
    return this.#clocks.clock() >= this.#renewClock;
  }

  /** To be told of the status of every answer to a call that carried it. */
  answered(status: number): void {
    this.#judge(this, status);
  }
}
