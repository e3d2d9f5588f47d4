import {
  endpointTime,
  headerOf,
  isPermanentTokenError,
  refusal,
  type TokenAnswer,
  type TokenRefusal,
} from './token-answer.ts';

/** RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5: these say of themselves that they pass. */
const PASSING_WORDS: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);

/** Assertions are judged by time: beyond this distance of the clocks, a refusal may be about the time alone. */
const SKEW_MS_MAX = 30_000;
const RETRY_AFTER_MS_MAX = 900_000;

/**
 * What a status and the endpoint's error word, if it gave one, mean when no token came. `isTimed`: the request was signed for a time, so
 * that a wrong clock looks like a wrong key.
 */
export function judgeStatus(answer: TokenAnswer, errorWord: unknown, isTimed: boolean): TokenRefusal {
  const { status } = answer;
  const retryAfterMs = retryAfter(answer);
  const word = typeof errorWord === 'string' ? errorWord : '';
  if (PASSING_WORDS.has(word)) return refusal('endpoint_failing', retryAfterMs);
  if (status >= 500) return refusal('endpoint_failing', retryAfterMs);
  if (status === 429 || isRateLimit(answer, retryAfterMs)) return refusal('rate_limited', retryAfterMs);
  if (status === 408 || status === 425) return refusal('endpoint_failing', retryAfterMs);
  if (status >= 300 && status < 400) return refusal('redirected');
  const isRefused = status >= 400 || word !== '';
  if (!isRefused) return refusal('answer_invalid');
  if (isTimed && isSkewed(answer)) return refusal('clock_skew');
  return refusal(isPermanentTokenError(word) ? word : 'token_refused');
}

/** A 403 that names a time to come back is about pace (GitHub's secondary limits), not about rights. */
function isRateLimit(answer: TokenAnswer, retryAfterMs: number | undefined): boolean {
  if (answer.status !== 403) return false;
  return retryAfterMs !== undefined || headerOf(answer, 'x-ratelimit-remaining') === '0';
}

function isSkewed(answer: TokenAnswer): boolean {
  const theirs = endpointTime(answer);
  return theirs !== undefined && Math.abs(theirs - answer.receivedAt) > SKEW_MS_MAX;
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfter(answer: TokenAnswer): number | undefined {
  const text = headerOf(answer, 'retry-after')?.trim();
  if (text === undefined || text === '') return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - (endpointTime(answer) ?? answer.receivedAt);
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX);
}
