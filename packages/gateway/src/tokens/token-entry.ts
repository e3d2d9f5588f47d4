import type { SecretVersion } from '../directory/secret-version.ts';
import type { CredentialState } from './credential-state.ts';
import { HeldToken, type MintClocks, type MintedToken } from './held-token.ts';
import type { TokenFailure } from './token-failure.ts';

/** Waits after failures in a row; the first is not waited for. */
const WAIT_MS_FIRST = 1_000;
const WAIT_MS_MAX = 60_000;

interface Setback {
  readonly failure: TokenFailure;
  readonly untilClock: number;
  readonly at: number;
}

/**
 * States: empty (nothing minted yet), held (a token that serves until its end), and beside either: a flight under way, a setback (the last flight
 * failed; the next is not begun before its time, never where the failure is permanent). Dropped entries keep nothing.
 */
export class TokenEntry {
  /** The version of the credential's secret; of a rotating one the newest of its line. */
  secret: SecretVersion;
  /** The one mint under way; all who need a token wait for it. */
  flight: Promise<HeldToken> | undefined;
  readonly #clocks: MintClocks;
  #held: HeldToken | undefined;
  #setback: Setback | undefined;
  #failuresInRow = 0;
  /** Tokens that the upstream refused, without one in between that it took. */
  #rejectionsInRow = 0;
  #mintedAt: number | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #isDropped = false;

  constructor(secret: SecretVersion, clocks: MintClocks) {
    this.secret = secret;
    this.#clocks = clocks;
  }

  /** The token, while it may be sent. */
  get held(): HeldToken | undefined {
    if (this.#held !== undefined && this.#held.leftMs <= 0) this.#forget();
    return this.#held;
  }

  /** What forbids another mint now, and for how long; without an end for a permanent failure. */
  get setback(): { readonly failure: TokenFailure; readonly waitMs: number | undefined } | undefined {
    if (this.#setback === undefined) return undefined;
    const { failure, untilClock } = this.#setback;
    if (failure.isPermanent) return { failure, waitMs: undefined };
    const waitMs = untilClock - this.#clocks.clock();
    return waitMs > 0 ? { failure, waitMs } : undefined;
  }

  hold(minted: MintedToken): HeldToken {
    const token = new HeldToken(minted, this.#clocks, this.#judge);
    this.#setback = undefined;
    this.#failuresInRow = 0;
    this.#mintedAt = this.#clocks.now();
    if (this.#isDropped) return token;
    this.#held = token;
    clearTimeout(this.#endTimer);
    // So that it leaves the memory at its end also when nobody asks.
    this.#endTimer = setTimeout(() => void this.held, Math.min(Math.max(token.leftMs, 1), TIMER_MS_MAX)).unref();
    return token;
  }

  fail(failure: TokenFailure): void {
    const pauseMs =
      this.#failuresInRow === 0 ? 0 : Math.min(WAIT_MS_FIRST * 2 ** (this.#failuresInRow - 1), WAIT_MS_MAX);
    const spreadMs = pauseMs * (0.5 + this.#clocks.random() / 2);
    this.#failuresInRow += 1;
    const untilClock = this.#clocks.clock() + Math.max(spreadMs, failure.retryAfterMs ?? 0);
    this.#setback = { failure, untilClock, at: this.#clocks.now() };
  }

  /**
   * The upstream answered a call with this token. One that it refuses is dropped, so that the next call mints anew; one that was itself minted
   * for that reason is given more and more time, lest an upstream that refuses everything has tokens minted for every call.
   */
  readonly #judge = (token: HeldToken, status: number): void => {
    if (token !== this.#held) return;
    if (status !== 401) {
      this.#rejectionsInRow = 0;
      return;
    }
    const ageMs = this.#clocks.clock() - token.mintedAtMs;
    const mustLiveMs =
      this.#rejectionsInRow === 0 ? 0 : Math.min(WAIT_MS_FIRST * 2 ** this.#rejectionsInRow, WAIT_MS_MAX);
    if (ageMs < mustLiveMs) return;
    this.#rejectionsInRow += 1;
    this.#forget();
  };

  state(): CredentialState | undefined {
    if (this.#setback !== undefined) {
      const { failure, at } = this.#setback;
      return { status: failure.isPermanent ? 'permanent_failure' : 'failing', code: failure.code, at };
    }
    if (this.#mintedAt === undefined) return undefined;
    if (this.#rejectionsInRow > 1) return { status: 'failing', code: 'token_rejected', at: this.#mintedAt };
    return { status: 'ok', at: this.#mintedAt };
  }

  /** Secret or integration changed: nothing of it is used any more. */
  drop(): void {
    this.#isDropped = true;
    this.#setback = undefined;
    this.#forget();
  }

  #forget(): void {
    clearTimeout(this.#endTimer);
    this.#held = undefined;
  }
}

const TIMER_MS_MAX = 2_147_483_647;
