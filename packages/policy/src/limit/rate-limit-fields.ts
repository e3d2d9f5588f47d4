import type { RateLimit } from './rate-limit.ts';
import type { WindowVerdict } from './sliding-window.ts';

/** A rate limit that a call spent, or was refused by. */
export interface SpentLimit {
  /** Id of the rule. */
  readonly rule: string;
  readonly limit: Pick<RateLimit, 'requests' | 'perSeconds'>;
  readonly verdict: WindowVerdict;
}

export interface RateLimitFields {
  readonly rateLimit: string;
  readonly rateLimitPolicy: string;
  /** In seconds; absent when no limit refuses. */
  readonly retryAfter: string | undefined;
}

/**
 * Values of `RateLimit`, `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, structured fields) and `Retry-After`. Policies are
 * named by their rule, whose id needs no escape in a structured string. Undefined without limits.
 */
export function rateLimitFields(limits: readonly SpentLimit[]): RateLimitFields | undefined {
  if (limits.length === 0) return undefined;
  const policies = limits.map(({ rule, limit }) => `"${rule}";q=${limit.requests};w=${limit.perSeconds}`);
  const states = limits.map(({ rule, verdict }) => `"${rule}";r=${verdict.remaining};t=${verdict.resetSeconds}`);
  const seconds = Math.max(...limits.map(({ verdict }) => verdict.retryAfterSeconds));
  return {
    rateLimit: states.join(', '),
    rateLimitPolicy: policies.join(', '),
    retryAfter: seconds > 0 ? String(seconds) : undefined,
  };
}
