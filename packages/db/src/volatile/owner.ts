import { randomBytes } from 'node:crypto';

/** Says whose a lock is; nobody guesses it. 22 characters. */
export function newOwner(): string {
  return randomBytes(16).toString('base64url');
}
