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
  /**
   * `caller`: it lies on this side, or may: the request cannot be written, its body cannot be read or came too slowly, the
   * transport is closed. Such an attempt says nothing of the upstream. Default `upstream`.
   */
  readonly fault?: 'upstream' | 'caller' | undefined;
}

export interface UpstreamFailureOptions extends FailureReport {
  /** The response head had been passed on, so the caller can only cut its own answer. */
  readonly headPassed: boolean;
  /** Which budget was spent, for `upstream_timeout` by the runtime's own clock. */
  readonly budget?: TimeBudget | undefined;
  /** With `circuit_open`: when a probe may go. */
  readonly retryAfterSeconds?: number | undefined;
}

/** A forward that failed. `message` is a diagnostic for the log and never for the caller, who gets the code. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly code: UpstreamErrorCode;
  readonly sentBytes: SentBytes;
  readonly headPassed: boolean;
  readonly budget: TimeBudget | undefined;
  readonly fault: 'upstream' | 'caller';
  readonly retryAfterSeconds: number | undefined;

  constructor(options: UpstreamFailureOptions) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.sentBytes = options.sentBytes;
    this.headPassed = options.headPassed;
    this.budget = options.budget;
    this.fault = options.fault ?? 'upstream';
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The same failure, of a call that may have sent more than its last attempt did. */
  withSentBytes(sentBytes: SentBytes): UpstreamFailure {
    if (sentBytes === this.sentBytes) return this;
    const { code, message: detail, cause, headPassed, budget, fault, retryAfterSeconds } = this;
    return new UpstreamFailure({ code, sentBytes, detail, cause, headPassed, budget, fault, retryAfterSeconds });
  }

  get status(): number {
    return UPSTREAM_ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return UPSTREAM_ERRORS[this.code].retryable;
  }
}
