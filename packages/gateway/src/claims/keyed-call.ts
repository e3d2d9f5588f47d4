import type { Descriptor } from '@postern/canonicalizer';
import type { ClaimRecord, ClaimScope } from '@postern/db/ports';

/** What a call claims: nothing else goes out under the same key while this one lives. */
export interface KeyedCall {
  readonly scope: ClaimScope;
  readonly descriptor: Descriptor;
  readonly fingerprint: string;
  /** The method is safe, or the upstream is declared to honour keys: then a call whose outcome is unknown may be sent again. */
  readonly mayRepeat: boolean;
  readonly ttlMs: number;
  /** The answered call of this key: what it was answered is repeated. */
  readonly answered: ClaimRecord | undefined;
}

/**
 * The key under which the first execution of an approval is claimed when its call came without one, so that it too is executed once and its
 * answer can be asked for again. A caller's keys hold no space: the two never meet.
 */
export function approvalKey(approvalId: string): string {
  return `approval ${approvalId}`;
}

export function isApprovalKey(key: string): boolean {
  return key.includes(' ');
}

/** RFC 9110 section 9.2.1, less TRACE. */
export function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}
