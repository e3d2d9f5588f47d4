import { type Call, readingsOf } from './call.ts';
import type { CompiledPolicy } from './compile-policy.ts';

/** Why such a call is not judged. */
export const UNREADABLE = 'the path would be none if it were decoded once more';

/**
 * Whether nobody can tell what the rules say of the path, which an upstream that decodes it once more finds a dot segment or the like in:
 * any pattern that closes might be meant. Where no rule closes by paths, nothing hangs on it.
 */
export function isUnreadable({ closesPaths }: CompiledPolicy, call: Call): boolean {
  return closesPaths && readingsOf(call).isUnreadable;
}
