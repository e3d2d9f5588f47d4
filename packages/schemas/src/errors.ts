/**
 * Every way a call can be refused, as one closed union. `docs/errors.md` lists the same codes; a check holds the two together.
 *
 * `retryable` says whether the identical call may succeed later without anybody changing anything.
 */
export interface ErrorKind {
  readonly status: number;
  readonly retryable: boolean;
  readonly title: string;
}

export const ERROR_KINDS = {
  // Stage 1: admit
  malformed_request: { status: 400, retryable: false, title: 'The request is not well-formed' },
  request_timeout: { status: 408, retryable: true, title: 'The request did not arrive in time' },
  headers_too_large: { status: 431, retryable: false, title: 'The request head is too large' },
  unknown_host: { status: 421, retryable: false, title: 'This gateway does not answer for that host' },
  upgrade_unsupported: { status: 501, retryable: false, title: 'Protocol upgrades are not supported' },
  overloaded: { status: 503, retryable: true, title: 'The gateway takes no further call at present' },
  // Stage 2: authenticate
  unauthenticated: { status: 401, retryable: false, title: 'No valid agent key' },
  agent_disabled: { status: 403, retryable: false, title: 'The agent is disabled' },
  address_not_allowed: { status: 403, retryable: false, title: 'The agent may not call from this address' },
  // Stage 3: resolve and canonicalise
  unknown_integration: { status: 404, retryable: false, title: 'No such integration' },
  integration_disabled: { status: 403, retryable: false, title: 'The integration is disabled' },
  target_invalid: { status: 400, retryable: false, title: 'The target of the call is not acceptable' },
  request_too_large: { status: 413, retryable: false, title: 'The request body is too large' },
  key_in_request: { status: 400, retryable: false, title: 'The request carries an agent key outside its place' },
  // Stage 4: claim
  idempotency_key_required: { status: 400, retryable: false, title: 'This method needs an idempotency key' },
  in_flight: { status: 409, retryable: true, title: 'An equal call is being executed' },
  idempotency_key_mismatch: { status: 422, retryable: false, title: 'The idempotency key belongs to another call' },
  outcome_unknown: { status: 409, retryable: false, title: 'The outcome of the earlier call is unknown' },
  replay_unavailable: { status: 409, retryable: false, title: 'The stored answer cannot be replayed' },
  // Stage 5: decide
  denied: { status: 403, retryable: false, title: 'Policy refuses this call' },
  policy_expired: { status: 503, retryable: true, title: 'The policy bundle of this edge has expired' },
  // Stage 6: approval
  approval_required: { status: 428, retryable: true, title: 'A person must approve this call' },
  approval_denied: { status: 403, retryable: false, title: 'The approval was denied' },
  approval_expired: { status: 410, retryable: false, title: 'The approval has expired' },
  approval_limit: { status: 429, retryable: true, title: 'Too many approvals are open' },
  approval_unavailable: { status: 503, retryable: true, title: 'Approvals are not available at present' },
  // Stage 7: quotas
  rate_limited: { status: 429, retryable: true, title: 'The rate limit is spent' },
  // Stage 8: guard
  address_forbidden: { status: 403, retryable: false, title: 'The target address is forbidden' },
  resolve_failed: { status: 502, retryable: true, title: 'The target name could not be resolved' },
  // Stage 9: record
  audit_unavailable: { status: 503, retryable: true, title: 'The call could not be recorded' },
  // Stage 10: credential
  credential_unavailable: { status: 503, retryable: true, title: 'The credential of the integration is not available' },
  // Stage 11: forward
  upstream_unavailable: { status: 502, retryable: true, title: 'The upstream could not be reached' },
  upstream_reset: { status: 502, retryable: false, title: 'The upstream broke the connection' },
  response_too_large: { status: 502, retryable: false, title: 'The upstream answer is too large' },
  redirect_refused: { status: 502, retryable: false, title: 'The upstream redirects outside its base URL' },
  circuit_open: { status: 503, retryable: true, title: 'Calls to the upstream are suspended' },
  upstream_saturated: { status: 503, retryable: true, title: 'Too many calls to the upstream at once' },
  upstream_timeout: { status: 504, retryable: false, title: 'The upstream did not answer in time' },
  // Anywhere
  not_found: { status: 404, retryable: false, title: 'Not found' },
  method_not_allowed: { status: 405, retryable: false, title: 'The method is not allowed here' },
  approval_decided: { status: 409, retryable: false, title: 'The approval is already decided' },
  conflict: { status: 409, retryable: false, title: 'The change conflicts with the present state' },
  precondition_failed: { status: 412, retryable: false, title: 'The object has changed since it was read' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The media type is not supported' },
  validation_failed: { status: 422, retryable: false, title: 'The document is not valid' },
  forbidden: { status: 403, retryable: false, title: 'The role does not permit this' },
  csrf: { status: 403, retryable: false, title: 'The request lacks its cross-site protection' },
  unknown_approval: { status: 404, retryable: false, title: 'No such approval' },
  internal_error: { status: 500, retryable: false, title: 'The gateway failed' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

export const ERROR_CODES = Object.keys(ERROR_KINDS) as ErrorCode[];

/** What a refusal may carry beside its code. All of it reaches the caller: no secret, no policy text, no upstream internals. */
export interface RejectionDetails {
  readonly decision?: 'deny' | 'require_approval';
  readonly approval?: {
    id: string;
    status: string;
    statusUrl: string;
    expiresAt: string;
    /** On the control plane, with `approval_decided`. */
    decidedBy?: string;
    decidedAt?: string;
  };
  readonly retryAfterSeconds?: number;
  /** The methods that would be right, with `method_not_allowed`. */
  readonly allow?: readonly string[];
  /** Problems of a submitted document, each with the field it concerns. */
  readonly issues?: readonly ValidationIssue[];
}

/** One fault in a submitted document: where it is, what was wrong and what would be right. */
export interface ValidationIssue {
  readonly field: string;
  readonly message: string;
  /** Counts from 1. */
  readonly line?: number;
  /** Id of the rule at fault. */
  readonly rule?: string;
  /** Within an expression: how many characters stand before the fault. */
  readonly position?: number;
}

export interface RejectionOptions {
  readonly details?: RejectionDetails;
  /** Stays inside the gateway: the log may print its message, the caller never sees it. */
  readonly cause?: unknown;
}

/** A refusal with a code of the closed union. `message` is the problem's `detail` and reaches the caller. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly code: ErrorCode;
  readonly details: RejectionDetails;

  constructor(code: ErrorCode, detail: string, options: RejectionOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERROR_KINDS[this.code].status;
  }
}
