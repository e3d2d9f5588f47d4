import { readJsonObject } from '../json-object.ts';
import { makeUnprintable } from '../unprintable.ts';
import { isTokenText } from './access-token.ts';
import { judgeStatus } from './judge-status.ts';
import {
  LIFETIME_MS_ASSUMED,
  LIFETIME_MS_MAX,
  LIFETIME_MS_MIN,
  refusal,
  type TokenAnswer,
  type TokenResult,
} from './token-answer.ts';

export interface OauthAnswerOptions {
  /** The request was signed for a time. */
  readonly isTimed: boolean;
  /** A `refresh_token` in the answer is taken. */
  readonly takesRefreshToken: boolean;
}

/**
 * RFC 6749 sections 5.1 and 5.2. A token whose lifetime is nought, negative or no number is none: it must never be sent. What the endpoint
 * writes beside its error word is not passed on: it may hold anything.
 */
export function readOauthAnswer(answer: TokenAnswer, options: OauthAnswerOptions): TokenResult {
  const document = readJsonObject(new TextDecoder().decode(answer.body));
  const accessToken = document?.['access_token'];
  const errorWord = document?.['error'];
  const isGranted = answer.status >= 200 && answer.status < 300 && accessToken !== undefined && !errorWord;
  if (document === undefined || !isGranted) return judgeStatus(answer, errorWord, options.isTimed);
  const lifetimeMs = readLifetime(document['expires_in']);
  const isUsable = isTokenText(accessToken) && lifetimeMs !== undefined && isBearer(document['token_type']);
  if (!isUsable) return refusal('answer_invalid');
  const refreshToken = options.takesRefreshToken ? document['refresh_token'] : undefined;
  const isRotated = typeof refreshToken === 'string' && refreshToken !== '';
  return makeUnprintable({
    kind: 'grant' as const,
    accessToken,
    lifetimeMs,
    ...(isRotated ? { refreshToken } : {}),
  });
}

/** RFC 6749 section 7.1: a type that is not understood must not be used. Many endpoints leave it out. */
function isBearer(tokenType: unknown): boolean {
  return tokenType === undefined || (typeof tokenType === 'string' && tokenType.toLowerCase() === 'bearer');
}

/** Seconds as a number or, as some endpoints write them, as text. Undefined: no token that could be used. */
function readLifetime(expiresIn: unknown): number | undefined {
  if (expiresIn === undefined || expiresIn === null) return LIFETIME_MS_ASSUMED;
  const isText = typeof expiresIn === 'string' && /^\d{1,15}$/.test(expiresIn);
  const seconds = isText ? Number(expiresIn) : expiresIn;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return undefined;
  const lifetimeMs = Math.floor(Math.min(seconds * 1_000, LIFETIME_MS_MAX));
  return lifetimeMs < LIFETIME_MS_MIN ? undefined : lifetimeMs;
}
