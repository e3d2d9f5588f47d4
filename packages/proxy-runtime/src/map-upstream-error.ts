import { ProxyRefusal, type ProxyRefusalCode } from './proxy-refusal.ts';
import { UPSTREAM_ERRORS, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

export interface MappedUpstreamError {
  readonly code: UpstreamErrorCode | ProxyRefusalCode;
  /** HTTP status of the answer to the caller. */
  readonly status: number;
  /** Whether the identical call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
}

/**
 * The stable local code of anything that a forward can fail with: an `UpstreamFailure`, a `ProxyRefusal`, or a raw error of Node
 * or undici. What is unknown counts as `upstream_unavailable`. Nothing of the error's text is in the answer; the diagnostic stays
 * in logs.
 */
export function mapUpstreamError(error: unknown): MappedUpstreamError {
  if (error instanceof ProxyRefusal) return { code: error.code, status: error.status, retryable: error.retryable };
  const code = (error instanceof UpstreamFailure ? error.code : codeOfError(error)) ?? 'upstream_unavailable';
  return { code, ...UPSTREAM_ERRORS[code] };
}

/** The code of a raw error by its `code` or `name`, its causes included; undefined when it says nothing. */
export function codeOfError(error: unknown): UpstreamErrorCode | undefined {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
    const own = (current as NodeJS.ErrnoException).code;
    const code = CODES.get(typeof own === 'string' ? own : '') ?? CODES.get(current.name);
    if (code !== undefined) return code;
    if (typeof own === 'string' && own.startsWith('HPE_')) return 'upstream_reset';
    current = current.cause;
  }
  return undefined;
}

const CAUSES_MAX = 4;

const CODES: ReadonlyMap<string, UpstreamErrorCode> = new Map([
  ['ECONNREFUSED', 'upstream_unavailable'],
  ['ENOTFOUND', 'upstream_unavailable'],
  ['EAI_AGAIN', 'upstream_unavailable'],
  ['EHOSTUNREACH', 'upstream_unavailable'],
  ['ENETUNREACH', 'upstream_unavailable'],
  ['EADDRNOTAVAIL', 'upstream_unavailable'],
  ['ECONNRESET', 'upstream_reset'],
  ['ECONNABORTED', 'upstream_reset'],
  ['EPIPE', 'upstream_reset'],
  ['UND_ERR_SOCKET', 'upstream_reset'],
  ['UND_ERR_ABORTED', 'upstream_reset'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'upstream_reset'],
  ['ETIMEDOUT', 'upstream_timeout'],
  ['UND_ERR_CONNECT_TIMEOUT', 'upstream_timeout'],
  ['UND_ERR_HEADERS_TIMEOUT', 'upstream_timeout'],
  ['UND_ERR_BODY_TIMEOUT', 'upstream_timeout'],
  ['TimeoutError', 'upstream_timeout'],
  ['UND_ERR_HEADERS_OVERFLOW', 'response_too_large'],
  ['UND_ERR_RES_EXCEEDED_MAX_SIZE', 'response_too_large'],
]);
