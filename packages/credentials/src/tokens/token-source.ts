import type { TokenAnswer, TokenResult } from './token-answer.ts';

/** One request to a token endpoint. It holds secrets: printed, it shows `[secret]`. */
export interface TokenRequest {
  readonly method: 'POST';
  /** Absolute. */
  readonly url: string;
  /** Flat name, value pairs with lower-case names, without `host` and framing. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** The opened secrets that a token is bought with. */
export interface TokenSecrets {
  readonly secret: string;
  /** Of kinds that have `clientSecretName`. */
  readonly clientSecret?: string | undefined;
}

/** How tokens of one credential are asked for. Pure: it sends nothing and keeps nothing. */
export interface TokenSource {
  /** Where tokens are asked for, absolute and without a query. The only host that the secrets may be sent to. */
  readonly tokenUrl: string;
  /** Another secret that is needed beside the credential's own. */
  readonly clientSecretName?: string | undefined;
  /** Whether a token endpoint may answer with a new secret in place of the one it was sent. */
  readonly rotates: boolean;
  /** @throws Rejection `credential_unavailable` when the secret cannot be one of this kind. */
  checkSecret(secretText: string): void;
  /**
   * The request that asks for a token. `now`: milliseconds since the epoch.
   *
   * @throws Rejection `credential_unavailable` when a secret cannot be used.
   */
  tokenRequest(secrets: TokenSecrets, now: number): Promise<TokenRequest>;
  /** What an answer means. Never throws. */
  readAnswer(answer: TokenAnswer): TokenResult;
}
