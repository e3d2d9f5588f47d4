/**
 * Seconds from one try to the next: ten tries over 75 hours and a half (Standard Webhooks 1.0.0, "Deliverability and reliability"). The
 * first try is made at once.
 */
export const WEBHOOK_RETRY_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;

/** With the first one. */
export const WEBHOOK_ATTEMPTS_MAX = WEBHOOK_RETRY_SECONDS.length + 1;

/** A receiver cannot put a message off for longer. */
export const WEBHOOK_RETRY_AFTER_SECONDS_MAX = 86_400;

/** The share of a delay by which it may be longer or shorter. */
const JITTER = 0.1;

/**
 * When a message is due again after `attempts` tries have failed, the last of them at `now` (milliseconds); undefined: never, it is dead.
 * `random` gives numbers from 0 to below 1. `retryAfterMs`, what the receiver asked for, counts where it is longer than the delay, up to
 * a day.
 */
export function nextAttempt(attempts: number, now: number, random: () => number, retryAfterMs = 0): number | undefined {
  if (attempts <= 0) return now;
  const seconds = WEBHOOK_RETRY_SECONDS[attempts - 1];
  if (seconds === undefined) return undefined;
  const delayMs = Math.round(seconds * 1_000 * (1 - JITTER + 2 * JITTER * random()));
  const askedMs = Math.min(Number.isFinite(retryAfterMs) ? retryAfterMs : 0, WEBHOOK_RETRY_AFTER_SECONDS_MAX * 1_000);
  return now + Math.max(delayMs, Math.ceil(askedMs));
}
