import type { TokenErrorCode } from '@postern/credentials';
import { Rejection } from '@postern/schemas';

/** Why an integration has no token: what the token endpoint said, or what kept it from being asked. A closed list: it labels a metric. */
export type CredentialErrorCode =
  | TokenErrorCode
  | 'secret_unavailable'
  | 'cleartext_refused'
  | 'address_forbidden'
  | 'resolve_failed'
  | 'endpoint_unreachable'
  | 'endpoint_timeout'
  | 'store_failed'
  | 'secret_replaced'
  | 'token_rejected';

/** No token could be had. The message is for the log: it names integration, code and remedy, and never quotes the endpoint. */
export class TokenFailure extends Error {
  override readonly name = 'TokenFailure';
  readonly code: CredentialErrorCode;
  /** It will not pass until secret or integration change. */
  readonly isPermanent: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: CredentialErrorCode, options: TokenFailureOptions = {}) {
    const detail = options.detail ?? MEANINGS[code];
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.isPermanent = options.isPermanent ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export interface TokenFailureOptions {
  readonly isPermanent?: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly detail?: string;
  readonly cause?: unknown;
}

const MEANINGS: Readonly<Record<CredentialErrorCode, string>> = {
  invalid_grant: 'the token endpoint does not take the secret any more; write a new one',
  invalid_client: 'the token endpoint does not know the client, or its secret is wrong; check clientId and secret',
  invalid_request: 'the token endpoint does not understand the request; check the fields of the credential',
  invalid_scope: 'the token endpoint does not grant the scope; check scope',
  invalid_target: 'the token endpoint does not know the audience; check audience',
  unauthorized_client: 'the client may not ask for tokens in this way; change that at the provider',
  unsupported_grant_type: 'the token endpoint does not give tokens in this way; check tokenUrl and type',
  access_denied: 'the provider denies access; grant it there',
  token_refused: 'the token endpoint refuses; check the secret and the fields of the credential',
  endpoint_failing: 'the token endpoint fails',
  rate_limited: 'the token endpoint wants to be asked less often',
  answer_invalid: 'the answer of the token endpoint holds no usable token',
  redirected: 'the token endpoint redirects, which is never followed; set tokenUrl to the place itself',
  clock_skew: "this machine's clock differs from the token endpoint's; set it by NTP",
  secret_unavailable: 'a secret of the credential cannot be opened or used',
  cleartext_refused: 'the token endpoint is not https, and unsafeAllowCleartextCredentials is not set',
  address_forbidden: 'the token endpoint lies at an address that this gateway does not call',
  resolve_failed: 'the name of the token endpoint could not be resolved',
  endpoint_unreachable: 'the token endpoint could not be reached, or broke off',
  endpoint_timeout: 'the token endpoint did not answer in time',
  store_failed: 'the new refresh token could not be stored; its access token is not used before it is',
  secret_replaced: 'the secret was replaced while its token was being asked for',
  token_rejected: 'the upstream refuses freshly minted tokens; check scope and audience',
};

/** What the caller is told: that it does not work and when to ask again, never why. The log has had the reason. */
export function tokenRejection(waitMs: number | undefined): Rejection {
  return new Rejection(
    'credential_unavailable',
    'The credential of the integration is not available, so the call was not sent.',
    waitMs === undefined ? {} : { details: { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) } },
  );
}
