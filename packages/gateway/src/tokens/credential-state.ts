import type { CredentialErrorCode } from './token-failure.ts';

/** How the minting of an integration's credential stands, for people and for `doctor`. */
export interface CredentialState {
  /** `failing` may pass by itself; `permanent_failure` does not: secret or integration must be changed. */
  readonly status: 'ok' | 'failing' | 'permanent_failure';
  /** Why not. */
  readonly code?: CredentialErrorCode;
  /** Since when, milliseconds since the epoch: the last mint, or the last failure. */
  readonly at: number;
}
