import type { HeldPermits } from './held-permits.ts';
import type { SpentPermits } from './redis-verdict.ts';

/**
 * Ends each of what is held `lifeMs` after it came, and hands on what no call has used. All are held for as long as each other: one timer
 * does for all of them.
 */
export function createPermitEnds(lifeMs: number, onUnused: (unused: readonly SpentPermits[]) => void) {
  const ending: { readonly held: HeldPermits; readonly endMs: number }[] = [];

  function startTimer(): void {
    const first = ending[0];
    if (first !== undefined) setTimeout(endHeld, Math.max(1, first.endMs - performance.now())).unref();
  }

  function endHeld(): void {
    const nowMs = performance.now();
    const kept = ending.findIndex(({ endMs }) => endMs > nowMs);
    const over = ending.splice(0, kept === -1 ? ending.length : kept);
    startTimer();
    const unused = over.map(({ held }) => held.end()).filter((permits) => permits !== undefined);
    if (unused.length > 0) onUnused(unused);
  }

  return (held: HeldPermits): void => {
    ending.push({ held, endMs: performance.now() + lifeMs });
    if (ending.length === 1) startTimer();
  };
}
