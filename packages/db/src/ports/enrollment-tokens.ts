import type { DbContext } from './context.ts';

/** How long a token can be used. */
export const ENROLLMENT_TOKEN_LIFE_MS = 900_000;

/**
 * `open → consumed | voided`; one that is open at `expiresAt` reads `expired`. An agent has at most one that is open. Only the hash is
 * known here: SHA-256 of the token's text, lower-case hex.
 */
export type EnrollmentTokenRecord = {
  readonly tenant: string;
  readonly id: string;
  readonly agentId: string;
  readonly tokenHash: string;
  readonly issuedBy: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
} & (
  | { readonly state: 'open' | 'expired' }
  | { readonly state: 'consumed'; readonly consumedAt: number }
  | { readonly state: 'voided'; readonly voidedAt: number }
);

export interface NewEnrollmentToken {
  readonly tenant: string;
  readonly agentId: string;
  readonly tokenHash: string;
  /** The administrator's name. */
  readonly issuedBy: string;
}

/** `lost`: as what the token read, `unknown` when there is none of that hash. */
export type EnrollmentTokenConsumption =
  | { readonly isConsumed: true; readonly token: EnrollmentTokenRecord }
  | { readonly isConsumed: false; readonly lost: 'unknown' | 'expired' | 'consumed' | 'voided' };

export interface EnrollmentTokensPort {
  /**
   * Makes a token that lives 900 s from `nowMs`, and voids the agent's open ones in the same transaction. Fails `not_found` without the agent,
   * `conflict` when the hash is known.
   */
  issueEnrollmentToken(token: NewEnrollmentToken, nowMs: number, context?: DbContext): Promise<EnrollmentTokenRecord>;
  /** Once, however many ask at the same time: one conditional update. Over all tenants, for the token is all that its bearer shows. */
  consumeEnrollmentTokenOnce(
    tokenHash: string,
    nowMs: number,
    context?: DbContext,
  ): Promise<EnrollmentTokenConsumption>;
  /** Removes tokens that ended before `endedBefore`; returns how many. */
  sweep(endedBefore: number, limit: number): Promise<number>;
}
