/** How much is measured. */
export interface Plan {
  readonly rounds: number;
  /** Load before each window. */
  readonly leadMs: number;
  /** How long a variant is measured in a round, for a table of so many windows that may use this share of the time left. */
  readonly windowMs: (slices: number, share: number) => number;
  /** Calls to a variant before its first round, as many to each, so that the compiler has seen the same of all. */
  readonly warmUpCalls: number;
  /** One that cannot take them in this time is measured as warm as it got. */
  readonly warmUpMsMax: number;
  /** One round of the commit alone, of which it has three kinds. */
  readonly commitRoundMs: number;
  readonly starts: number;
  /** One round of one contender of the decisions. */
  readonly decisionWindowMs: number;
}

/** Client connections of the closed loop, and the most that are used in the open one. */
export const CONNECTIONS = 32;
/** The open loop's pace. */
export const CALLS_PER_SECOND = 500;
/** Between two windows: what a variant does after its last answer is not the next one's burden. */
export const PAUSE_MS = 100;

export interface PlanOptions {
  readonly rounds?: number | undefined;
  readonly seconds?: number | undefined;
}

/** The run whose figures are quoted: about five minutes. */
export function fullPlan({ rounds = 7, seconds = 3 }: PlanOptions): Plan {
  return {
    rounds,
    leadMs: 400,
    windowMs: () => seconds * 1_000,
    warmUpCalls: 60_000,
    warmUpMsMax: 30_000,
    commitRoundMs: 1_800,
    starts: 5,
    decisionWindowMs: 300,
  };
}

/** The last table begins with long starts and has windows that cannot shrink further: 24 s are kept for a slow or busy machine. */
const QUICK_BUDGET_MS = 36_000;
const WINDOW_MS_MIN = 300;
const WINDOW_MS_MAX = 1_500;

/** Within a minute: windows share what time the starts and warm-ups have left. */
export function quickPlan({ rounds = 3, seconds }: PlanOptions, beganMs = performance.now()): Plan {
  const leadMs = 150;
  const fitting = (slices: number, share: number) => {
    const leftMs = beganMs + QUICK_BUDGET_MS - performance.now();
    const windowMs = (leftMs * share) / slices - leadMs - PAUSE_MS;
    return Math.round(Math.min(Math.max(windowMs, WINDOW_MS_MIN), WINDOW_MS_MAX));
  };
  return {
    rounds,
    leadMs,
    windowMs: seconds === undefined ? fitting : () => seconds * 1_000,
    warmUpCalls: 10_000,
    warmUpMsMax: 3_500,
    commitRoundMs: 600,
    starts: 3,
    decisionWindowMs: 100,
  };
}
