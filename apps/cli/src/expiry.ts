import { Misuse } from './exit.ts';
import { readTime } from './output/times.ts';

export interface ExpiryOptions {
  readonly expiresAt?: string;
  readonly expiresIn?: string;
}

/** ISO 8601 of `--expires-at` or `--expires-in`; undefined without either. */
export function readExpiry({ expiresAt, expiresIn }: ExpiryOptions, now: number): string | undefined {
  if (expiresAt !== undefined && expiresIn !== undefined)
    throw new Misuse('give --expires-at or --expires-in, not both');
  if (expiresAt !== undefined) return readTime(expiresAt, '--expires-at', { now, side: 'after' });
  if (expiresIn !== undefined) return readTime(expiresIn, '--expires-in', { now, side: 'after' });
  return undefined;
}
