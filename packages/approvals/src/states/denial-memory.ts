/** After a denial the same binding opens no new approval for this long (specification, section 9). */
export const DENIAL_MEMORY_SECONDS = 60;

/** What an approver may add to a denial. Milliseconds since the epoch. */
export interface DenialRule {
  readonly expiresAt: number;
}

/**
 * Until when a denial given at `at` (both milliseconds) holds: a minute, or longer when the approver asked for it, and never less.
 *
 * @throws TypeError for an `expiresAt` that is no time
 */
export function deniedUntil(at: number, rule?: DenialRule): number {
  if (rule !== undefined && !Number.isSafeInteger(rule.expiresAt)) {
    throw new TypeError('The end of a denial must be a time in milliseconds.');
  }
  return Math.max(at + DENIAL_MEMORY_SECONDS * 1_000, rule?.expiresAt ?? 0);
}

/** Whether a denial still stands in the way of its binding at `now`. At its end itself it does not. */
export function denialHolds(denial: { readonly deniedUntil?: number | undefined }, now: number): boolean {
  return denial.deniedUntil !== undefined && !(now >= denial.deniedUntil);
}
