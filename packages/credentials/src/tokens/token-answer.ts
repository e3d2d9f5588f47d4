/** A whole answer of a token endpoint. */
export interface TokenAnswer {
  readonly status: number;
  /** Flat name, value pairs. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** When it came, milliseconds since the epoch. */
  readonly receivedAt: number;
}

/**
 * Why there is no token. The first group does not pass by itself: secret or configuration must change. The second may.
 */
export const PERMANENT_TOKEN_ERRORS = [
  'invalid_grant',
  'invalid_client',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'unauthorized_client',
  'unsupported_grant_type',
  'access_denied',
  'token_refused',
] as const;
export const PASSING_TOKEN_ERRORS = [
  'endpoint_failing',
  'rate_limited',
  'answer_invalid',
  'redirected',
  'clock_skew',
] as const;

export type PermanentTokenError = (typeof PERMANENT_TOKEN_ERRORS)[number];
export type PassingTokenError = (typeof PASSING_TOKEN_ERRORS)[number];
export type TokenErrorCode = PermanentTokenError | PassingTokenError;

/** What an answer means. A granted token is secret: printed, it shows `[secret]`. */
export type TokenResult = TokenGrant | TokenRefusal;

export interface TokenGrant {
  readonly kind: 'grant';
  readonly accessToken: string;
  /** How long it lives from when it was asked for, as the endpoint says or as is assumed; whole milliseconds, at least 1,000. */
  readonly lifetimeMs: number;
  /** A new refresh token, which makes the old one worthless. */
  readonly refreshToken?: string | undefined;
}

export interface TokenRefusal {
  readonly kind: 'refusal';
  readonly code: TokenErrorCode;
  readonly isPermanent: boolean;
  /** How long the endpoint asks to be left alone. */
  readonly retryAfterMs?: number | undefined;
}

/** When an endpoint does not say how long a token lives (RFC 6749 section 5.1 only recommends it). */
export const LIFETIME_MS_ASSUMED = 300_000;
/** No token is kept longer, whatever the endpoint promises. */
export const LIFETIME_MS_MAX = 86_400_000;
/** A token that ends sooner is of no use by the time it is sent. */
export const LIFETIME_MS_MIN = 1_000;

const PERMANENT: ReadonlySet<string> = new Set(PERMANENT_TOKEN_ERRORS);

export function isPermanentTokenError(code: string): code is PermanentTokenError {
  return PERMANENT.has(code);
}

export function refusal(code: TokenErrorCode, retryAfterMs?: number): TokenRefusal {
  const isPermanent = isPermanentTokenError(code);
  return { kind: 'refusal', code, isPermanent, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** The first value of a header; `name` in lower case. */
export function headerOf(answer: TokenAnswer, name: string): string | undefined {
  for (let i = 0; i + 1 < answer.headers.length; i += 2) {
    if ((answer.headers[i] as string).toLowerCase() === name) return answer.headers[i + 1];
  }
  return undefined;
}

/** The endpoint's own time by its `Date`; undefined when it tells none. */
export function endpointTime(answer: TokenAnswer): number | undefined {
  const time = Date.parse(headerOf(answer, 'date') ?? '');
  return Number.isNaN(time) ? undefined : time;
}
