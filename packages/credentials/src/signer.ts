import type { AppliedCredential } from './credential-kind.ts';

/** A request as it will be sent, for a credential that signs it. */
export interface SignableRequest {
  readonly method: string;
  /** Path and query exactly as they go on the wire. */
  readonly pathAndQuery: string;
  /** Flat name, value pairs as they will be sent, `host` among them, without what the credential writes. */
  readonly headers: readonly string[];
  /** Flat pairs as the caller sent them: some say how its body is made. */
  readonly callerHeaders: readonly string[];
  /** Lower-case hex SHA-256 of the body's bytes; undefined when the body passes unread. Asked for at most once. */
  bodySha256(): string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An opened signing credential. It holds the secret: drop it with the secret. */
export interface Signer {
  /** @throws Rejection `credential_unavailable` when this request cannot be signed. */
  sign(request: SignableRequest): AppliedCredential;
}
