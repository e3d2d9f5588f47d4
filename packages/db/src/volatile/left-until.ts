import { DbError } from '../ports/db-error.ts';

/** Milliseconds from now until then, 0 or less when it is past; refuses what is further ahead than `mostMs`. */
export function leftUntil(name: string, untilMs: number, { nowMs, mostMs }: { nowMs: number; mostMs: number }): number {
  const leftMs = untilMs - Math.floor(nowMs);
  if (leftMs <= mostMs) return leftMs;
  throw new DbError('invalid', `${name} must be at most ${mostMs} ms ahead, not ${leftMs}`);
}
