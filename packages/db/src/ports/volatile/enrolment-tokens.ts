/**
 * The lock under which an enrolment token is consumed:
 *
 *   free → locked (by one owner, for `lockSeconds`) → consumed (until the token's end) | free
 *
 * It keeps two nodes from making two certificates for one token at once. That a token is consumed once at all, the repository's
 * conditional update sees to, whose answer counts; a lost key is a free one.
 */
export interface EnrolmentTokensPort {
  /** Locks a free token. Atomic: of any callers at once one is `locked`. Fails `unavailable`; then nothing may be consumed. */
  begin(tenant: string, tokenHash: string, lockSeconds: number): Promise<EnrolmentLock>;
  /**
   * The repository has consumed it: further attempts read `consumed` for `keepSeconds` (1..3,600). False when the lock had ended or
   * was another's. Atomic. Fails `unavailable`, which changes nothing: the repository knows.
   */
  finish(
    tenant: string,
    tokenHash: string,
    end: { readonly owner: string; readonly keepSeconds: number },
  ): Promise<boolean>;
  /** Nothing was consumed: frees it. False when the lock had ended or was another's. Atomic; after `unavailable` it ends by itself. */
  abandon(tenant: string, tokenHash: string, owner: string): Promise<boolean>;
}

export type EnrolmentLock =
  | { readonly state: 'locked'; readonly owner: string }
  /** Another one consumes it at present. */
  | { readonly state: 'busy' }
  | { readonly state: 'consumed' };

/** Seconds. */
export const ENROLMENT_LOCK_RANGE = { min: 1, max: 60 } as const;
/** Seconds. */
export const ENROLMENT_KEEP_RANGE = { min: 1, max: 3_600 } as const;
