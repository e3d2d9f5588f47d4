/** The stable local codes of a failed forward, each with its HTTP status. `retryable`: the identical call may succeed later by itself. */
export const UPSTREAM_ERRORS = {
  upstream_unavailable: { status: 502, retryable: true },
  upstream_reset: { status: 502, retryable: false },
  response_too_large: { status: 502, retryable: false },
  redirect_refused: { status: 502, retryable: false },
  circuit_open: { status: 503, retryable: true },
  upstream_saturated: { status: 503, retryable: true },
  upstream_timeout: { status: 504, retryable: false },
} as const;

export type UpstreamErrorCode = keyof typeof UPSTREAM_ERRORS;

/** `none` is only said when it is certain; whatever is unknown counts as `some`. */
export type SentBytes = 'none' | 'some';

/** The time budgets of a call, by their names in the configuration. */
export type TimeBudget = 'connectMs' | 'firstByteMs' | 'totalMs' | 'idleMs' | 'streamMs';

/** What a transport reports: the code, and whether any byte of the request was written to a connected socket. */
export interface FailureReport {
  readonly code: UpstreamErrorCode;
  readonly sentBytes: SentBytes;
  /** For the log only; may name addresses and other upstream internals. */
  readonly detail: string;
  readonly cause?: unknown;
}

export interface UpstreamFailureOptions extends FailureReport {
  /** The response head had been passed on, so the caller can only cut its own answer. */
  readonly headPassed: boolean;
  /** Which budget was spent, for `upstream_timeout` by the runtime's own clock. */
  readonly budget?: TimeBudget | undefined;
}

/** A forward that failed. `message` is a diagnostic for the log and never for the caller, who gets the code. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly code: UpstreamErrorCode;
  readonly sentBytes: SentBytes;
  readonly headPassed: boolean;
  readonly budget: TimeBudget | undefined;

  constructor(options: UpstreamFailureOptions) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.sentBytes = options.sentBytes;
    this.headPassed = options.headPassed;
    this.budget = options.budget;
  }

  get status(): number {
    return UPSTREAM_ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return UPSTREAM_ERRORS[this.code].retryable;
  }
}
