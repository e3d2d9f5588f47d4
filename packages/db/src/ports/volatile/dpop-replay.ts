export interface DpopProof {
  readonly tenant: string;
  /** For whom the `jti` is unique: the session, or the key's thumbprint. */
  readonly scope: string;
  /** As the proof says it; kept as a hash together with the scope. */
  readonly jti: string;
  /** How long the proof could be presented again: what its `iat` may be off, both ways. */
  readonly ttlSeconds: number;
}

/** The proofs that have been used (RFC 9449, section 11.1). */
export interface DpopReplayPort {
  /**
   * Whether this is the first use of the proof. Atomic: of any callers at once, on any nodes, one hears true. Fails `unavailable`
   * when the store does not answer, or has no room for this tenant: then the proof is refused. A proof that this node has seen
   * stays used here, also when the store has lost it.
   */
  firstUse(proof: DpopProof): Promise<boolean>;
}

/** Seconds. */
export const DPOP_TTL_RANGE = { min: 1, max: 3_600 } as const;
