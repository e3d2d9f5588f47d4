import type { KeyScope } from '@postern/schemas';
import type { DbContext } from './context.ts';

/** How long a session lives, in milliseconds: 60 to 3600 s. */
export const SESSION_LIFE_MS = { min: 60_000, max: 3_600_000, default: 900_000 } as const;

/** An agent's session, bound to its client certificate. `expired` and `revoked` as it reads at a time that the caller gives. */
export type SessionRecord = {
  readonly tenant: string;
  readonly id: string;
  readonly agentId: string;
  /** SHA-256 of the token's text, lower-case hex; the token itself is stored nowhere. */
  readonly tokenHash: string;
  /** SHA-256 of the certificate's DER form, lower-case hex. */
  readonly certificateFingerprint: string;
  /** RFC 7638 thumbprint of the key that proofs must be made with (RFC 9449); absent: none is asked for. */
  readonly dpopThumbprint?: string;
  readonly scopes: readonly KeyScope[];
  readonly createdAt: number;
  readonly expiresAt: number;
} & ({ readonly state: 'active' | 'expired' } | { readonly state: 'revoked'; readonly revokedAt: number });

export interface NewSession {
  readonly tenant: string;
  readonly id: string;
  readonly agentId: string;
  readonly tokenHash: string;
  readonly certificateFingerprint: string;
  readonly dpopThumbprint?: string;
  readonly scopes: readonly KeyScope[];
  /** 60 to 3600 s after the time at which it is stored. */
  readonly expiresAt: number;
}

export interface SessionsPort {
  /**
   * Stores a session, or renews the one of that id with another token, scopes and end, in one transaction. Agent, certificate and thumbprint
   * stay: another is `conflict`, as is a token hash that is known. Fails `stale` for a session or a certificate that is revoked, `not_found`
   * without the agent.
   */
  upsertSession(session: NewSession, nowMs: number, context?: DbContext): Promise<SessionRecord>;
  /** Over all tenants; ended ones too, so that the caller can tell why. */
  getSessionByTokenHash(tokenHash: string, nowMs: number, context?: DbContext): Promise<SessionRecord | undefined>;
  /** Conditional on not being revoked yet; false when it was, or is not there. */
  revokeSessionById(tenant: string, id: string, at: number, context?: DbContext): Promise<boolean>;
  /** Removes sessions that ended by `expiredBefore`, revoked ones after their end too; returns how many. */
  deleteExpiredSessions(expiredBefore: number, limit: number): Promise<number>;
}
