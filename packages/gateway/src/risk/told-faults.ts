import type { ScorerErrorCode } from './scorer-failure.ts';

const EVERY_MS = 60_000;

/** Which faults of a scorer the log has been told lately: a dead one is one line a minute and kind, not one a call. */
export class ToldFaults {
  readonly #clock: () => number;
  readonly #toldMs = new Map<ScorerErrorCode, number>();

  /** `clock`: milliseconds that never go back. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Whether the log should be told now; if so, it counts as told. */
  isNews(code: ScorerErrorCode): boolean {
    const nowMs = this.#clock();
    if (nowMs - (this.#toldMs.get(code) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return false;
    this.#toldMs.set(code, nowMs);
    return true;
  }
}
