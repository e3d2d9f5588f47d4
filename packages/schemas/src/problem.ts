import { ERROR_KINDS, type ErrorCode, type Rejection, type RejectionDetails } from './errors.ts';

/** RFC 9457 problem document. `type` is stable and ends in the code. */
export interface Problem extends RejectionDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly requestId: string;
  readonly retryable: boolean;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The stable prefix of every problem `type`. A name, not an address that must answer. */
export const PROBLEM_TYPE_BASE = 'https://postern.dev/problems/';

/** The document a caller sees for `rejection`. Its `cause` stays inside. */
export function toProblem(rejection: Rejection, requestId: string): Problem {
  const kind = ERROR_KINDS[rejection.code];
  return {
    type: PROBLEM_TYPE_BASE + rejection.code,
    title: kind.title,
    status: kind.status,
    detail: rejection.message,
    code: rejection.code,
    requestId,
    retryable: kind.retryable,
    ...rejection.details,
  };
}
