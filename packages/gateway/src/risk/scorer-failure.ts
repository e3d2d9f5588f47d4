/** Why a risk scorer gave no score. A closed list: it labels a metric, and stands in the audit entry. */
export const SCORER_ERROR_CODES = [
  'scorer_unreachable',
  'scorer_timeout',
  'scorer_failing',
  'scorer_refused',
  'rate_limited',
  'answer_invalid',
  'redirected',
  'saturated',
  'suspended',
  'address_forbidden',
  'resolve_failed',
  'cleartext_refused',
  'secret_unavailable',
] as const;
export type ScorerErrorCode = (typeof SCORER_ERROR_CODES)[number];

/** The message is for the log: code and remedy; it never quotes the scorer. */
export class ScorerFailure extends Error {
  override readonly name = 'ScorerFailure';
  readonly code: ScorerErrorCode;

  constructor(code: ScorerErrorCode, options: { readonly detail?: string; readonly cause?: unknown } = {}) {
    const detail = options.detail ?? MEANINGS[code];
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
  }

  /** Whether the same question may fare better at once. */
  get isPassing(): boolean {
    return this.code === 'scorer_unreachable' || this.code === 'scorer_failing' || this.code === 'answer_invalid';
  }

  /** What it says of the scorer's health: whether nobody should be kept waiting for it. */
  get health(): ScorerHealth {
    return HEALTH[this.code];
  }
}

export type ScorerHealth = 'down' | 'up' | 'unknown';

/**
 * An answer that cannot be used says nothing bad of a scorer's health, else whoever writes the text that it judges could have it left
 * unasked; nor does what lies on our side.
 */
const HEALTH: Readonly<Record<ScorerErrorCode, ScorerHealth>> = {
  scorer_unreachable: 'down',
  scorer_timeout: 'down',
  scorer_failing: 'down',
  rate_limited: 'down',
  resolve_failed: 'down',
  scorer_refused: 'up',
  answer_invalid: 'up',
  redirected: 'up',
  saturated: 'unknown',
  suspended: 'unknown',
  address_forbidden: 'unknown',
  cleartext_refused: 'unknown',
  secret_unavailable: 'unknown',
};

const MEANINGS: Readonly<Record<ScorerErrorCode, string>> = {
  scorer_unreachable: 'the scorer could not be reached, or broke off',
  scorer_timeout: 'the scorer did not answer in time',
  scorer_failing: 'the scorer fails',
  scorer_refused: 'the scorer refuses the question; check baseUrl, model and secret of risk.scorer',
  rate_limited: 'the scorer wants to be asked less often',
  answer_invalid: 'the answer of the scorer is no score as it was asked for',
  redirected: 'the scorer redirects, which is never followed; set risk.scorer.baseUrl to the place itself',
  saturated: 'as many questions as the scorer gets at once are under way',
  suspended: 'the scorer has failed too often and is left alone for a while',
  address_forbidden: 'the scorer lies at an address that this gateway does not call',
  resolve_failed: 'the name of the scorer could not be resolved',
  cleartext_refused: 'the scorer is not https, and unsafeAllowCleartextCredentials is not set',
  secret_unavailable: 'the secret of the scorer cannot be opened or used for this agent',
};
