export interface OnceKey {
  readonly tenant: string;
  readonly agent: string;
  /** What was approved. */
  readonly fingerprint: string;
}

/** Which approval a call may use, once. It names the grant to try first; that a grant is used as often as it allows, its row sees to. */
export interface ApprovalOncePort {
  /** Keeps the approval's id until `expiresAtMs` (at most 31 days ahead; nothing when it is past), in place of an earlier one. Fails `unavailable`. */
  put(key: OnceKey, approval: string, expiresAtMs: number): Promise<void>;
  /** Gives the id and forgets it. Atomic: of any callers at once one gets it. Fails `unavailable`: then look in the repository. */
  take(key: OnceKey): Promise<string | undefined>;
}

/** Milliseconds ahead of now: 31 days. */
export const APPROVAL_KEPT_MS_MAX = 2_678_400_000;
